DELETE FROM temp.stay
