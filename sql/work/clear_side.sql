DELETE FROM temp.scan WHERE side = ?1
