DELETE FROM temp.job WHERE list = ?1
