DELETE FROM temp.astray
