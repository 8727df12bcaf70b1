SELECT path FROM temp.live WHERE pair = ?1 AND sha256 = ?2 AND iif(?3 = 1, a, b) ORDER BY path LIMIT 20
