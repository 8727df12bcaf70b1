SELECT op, path, sha256, able
  FROM temp.gone INDEXED BY gone_time
 WHERE size = ?1 AND mtime = ?3 AND mtime_ns = ?4 AND ino <> ?2
 LIMIT ?5
