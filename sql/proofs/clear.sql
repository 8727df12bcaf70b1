DELETE FROM temp.entering
