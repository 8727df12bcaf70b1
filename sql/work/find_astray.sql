-- Content that the ledger knows by a path which is nowhere any more: a run was cut off after it had renamed it on the
-- members, and before the ledger had it. ?1: the number of DELETE, ?2: the pair.
INSERT OR IGNORE INTO temp.astray (ino, size, mtime, mtime_ns, path)
SELECT f.ino, f.size, f.mtime, f.mtime_ns, f.path
  FROM temp.op o INDEXED BY op_order
 CROSS JOIN main.file f ON f.pair = ?2 AND f.path = o.path
 WHERE o.action = ?1 AND o.keep = 0 AND f.size > 0 AND f.sha256 IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM temp.scan s WHERE s.side IN (0, 1, 2) AND s.path = o.path)
