SELECT path
  FROM temp.scan INDEXED BY scan_link
 WHERE side = ?1 AND dev = ?2 AND ino = ?3 AND nlink > 1 AND mode & 61440 <> 16384
 ORDER BY path
 LIMIT 1
