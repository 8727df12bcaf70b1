DELETE FROM temp.owner
