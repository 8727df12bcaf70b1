SELECT count(*), ifnull(sum(size), 0) FROM temp.op WHERE action = ?1
