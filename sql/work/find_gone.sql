-- What is about to go, with the members that have it as the ledger knows it. Of several names of one inode only the
-- first is on offer, so that files that are separate in the source do not come to share it.
-- ?1: the number of DELETE, ?2: the pair, ?3: the number of MOVE.
INSERT INTO temp.gone (op, path, size, sha256, ino, mtime, mtime_ns, able)
SELECT *
  FROM (SELECT o.id, o.path, f.size, f.sha256, f.ino, f.mtime, f.mtime_ns,
               iif(o.members & 2
                   AND a.mode & 61440 = 32768 AND a.error = 0
                   AND a.size = f.size AND a.mtime = f.mtime AND a.mtime_ns = f.mtime_ns
                   AND (a.nlink <= 1
                        OR (NOT EXISTS (SELECT 1
                                          FROM temp.stay s
                                         WHERE s.side = 1 AND s.dev = a.dev AND s.ino = a.ino)
                            AND NOT EXISTS (SELECT 1
                                              FROM temp.scan e INDEXED BY scan_link
                                             WHERE e.side = 1 AND e.dev = a.dev AND e.ino = a.ino AND e.nlink > 1
                                               AND e.mode & 61440 <> 16384 AND e.path < a.path))), 2, 0)
               | iif(o.members & 4
                   AND b.mode & 61440 = 32768 AND b.error = 0
                   AND b.size = f.size AND b.mtime = f.mtime AND b.mtime_ns = f.mtime_ns
                   AND (b.nlink <= 1
                        OR (NOT EXISTS (SELECT 1
                                          FROM temp.stay s
                                         WHERE s.side = 2 AND s.dev = b.dev AND s.ino = b.ino)
                            AND NOT EXISTS (SELECT 1
                                              FROM temp.scan e INDEXED BY scan_link
                                             WHERE e.side = 2 AND e.dev = b.dev AND e.ino = b.ino AND e.nlink > 1
                                               AND e.mode & 61440 <> 16384 AND e.path < b.path))), 4, 0) AS able
          FROM temp.op o INDEXED BY op_order
         CROSS JOIN main.file f ON f.pair = ?2 AND f.path = o.path
          LEFT JOIN temp.scan a ON a.side = 1 AND a.path = o.path
          LEFT JOIN temp.scan b ON b.side = 2 AND b.path = o.path
         WHERE o.action = ?1 AND f.size > 0 AND f.sha256 IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM temp.op m WHERE m.action = ?3 AND m.from_path = o.path))
 WHERE able <> 0
