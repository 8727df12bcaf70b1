-- Held files that are in the source by their path no longer. ?1: the pair.
INSERT OR REPLACE INTO temp.astray (ino, size, mtime, mtime_ns, path, held)
SELECT f.ino, f.size, f.mtime, f.mtime_ns, f.path, 1
  FROM main.file f INDEXED BY file_held
 WHERE f.pair = ?1 AND f.held = 1 AND f.nlink <= 1 AND f.size > 0 AND f.sha256 IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM temp.scan s WHERE s.side = 0 AND s.path = f.path AND s.ino = f.ino)
