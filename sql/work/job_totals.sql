SELECT count(*), ifnull(sum(size), 0) FROM temp.job WHERE list = ?1
