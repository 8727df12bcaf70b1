SELECT path, size, sha256, mtime, mtime_ns, ctime, ctime_ns, place, whole
  FROM temp.job
 WHERE list = ?1
 ORDER BY place, path
