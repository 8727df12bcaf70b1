SELECT f.path
  FROM temp.scan l
  JOIN temp.scan f INDEXED BY scan_link
    ON f.side = 0 AND f.dev = l.dev AND f.ino = l.ino AND f.nlink > 1 AND f.mode & 61440 <> 16384
 WHERE l.side = 0 AND l.path = ?1 AND l.nlink > 1 AND l.mode & 61440 <> 16384 AND f.path <> l.path
 ORDER BY f.path
