-- Deletions of a name that a run which was cut off had not yet taken away from a file it moved: a member has the file by
-- more names than the ledger knew of, and goes on having it, by a name that the source has, as the source has it, or by
-- one that is about to be moved. Nothing of it is to be kept. What it returns is the size of what the brake has counted
-- as deleted, else NULL. ?1: the number of DELETE, ?2: the pair, ?3: that of MOVE, ?4: the members that are there.
UPDATE temp.op
   SET keep = 0
 WHERE id IN (
    SELECT o.id
      FROM temp.op o INDEXED BY op_order
     CROSS JOIN temp.scan m ON m.side IN (1, 2) AND m.path = o.path
      LEFT JOIN main.file f ON f.pair = ?2 AND f.path = o.path
     WHERE o.action = ?1 AND o.keep = 1 AND o.members >> m.side & 1
       AND m.mode & 61440 = 32768 AND m.error = 0 AND m.nlink > 1
       AND (f.path IS NULL OR f.sha256 IS NOT NULL AND m.nlink > f.nlink AND m.size = f.size)
       AND EXISTS (SELECT 1
                     FROM temp.scan n INDEXED BY scan_link
                     LEFT JOIN temp.scan s ON s.side = 0 AND s.path = n.path AND s.mode & 61440 = 32768 AND s.error = 0
                                          AND s.size = m.size AND s.mtime = m.mtime AND s.mtime_ns = m.mtime_ns
                    WHERE n.side = m.side AND n.dev = m.dev AND n.ino = m.ino AND n.nlink > 1
                      AND n.mode & 61440 <> 16384 AND n.path <> m.path
                      AND (s.path IS NOT NULL
                           OR EXISTS (SELECT 1
                                        FROM temp.op v INDEXED BY op_from
                                       WHERE v.from_path = n.path AND v.action = ?3 AND v.members >> m.side & 1))))
RETURNING ifnull((SELECT size FROM main.file WHERE pair = ?2 AND path = op.path),
                 iif(members = ?4, (SELECT min(size) FROM temp.scan WHERE side IN (1, 2) AND path = op.path), NULL))
