-- Copies to paths where the members have nothing, of a size that is on offer. ?1: the number of COPY.
INSERT INTO temp.fresh (path, op, why, members, size, ino, mtime, mtime_ns)
SELECT o.path, o.id, o.why, o.members, s.size, s.ino, s.mtime, s.mtime_ns
  FROM temp.op o INDEXED BY op_order
 CROSS JOIN temp.scan s ON s.side = 0 AND s.path = o.path
 WHERE o.action = ?1 AND o.origin = 0
   AND EXISTS (SELECT 1 FROM temp.gone g INDEXED BY gone_time WHERE g.size = s.size)
   AND NOT (o.members & 2 AND EXISTS (SELECT 1 FROM temp.scan a WHERE a.side = 1 AND a.path = o.path))
   AND NOT (o.members & 4 AND EXISTS (SELECT 1 FROM temp.scan b WHERE b.side = 2 AND b.path = o.path))
 ORDER BY o.path
