UPDATE file SET dev = 0 WHERE pair = ?1 AND dev = ?2
