SELECT op, path, sha256, able
  FROM temp.gone INDEXED BY gone_time
 WHERE size = ?1
 LIMIT ?5
