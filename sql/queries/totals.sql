SELECT count(*), ifnull(sum(size), 0) FROM file WHERE pair = ?1 AND sha256 IS NOT NULL
