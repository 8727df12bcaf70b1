-- Content that the ledger knows by a path which the source has not got any more. ?1: the number of DELETE, ?2: the pair.
INSERT OR IGNORE INTO temp.astray (ino, size, mtime, mtime_ns, path, held)
SELECT f.ino, f.size, f.mtime, f.mtime_ns, f.path, 0
  FROM temp.op o INDEXED BY op_order
 CROSS JOIN main.file f ON f.pair = ?2 AND f.path = o.path
 WHERE o.action = ?1 AND f.size > 0 AND f.sha256 IS NOT NULL
