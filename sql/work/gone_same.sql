SELECT op, path, sha256, able
  FROM temp.gone INDEXED BY gone_same
 WHERE size = ?1 AND ino = ?2 AND mtime = ?3 AND mtime_ns = ?4
 LIMIT ?5
