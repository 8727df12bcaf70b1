-- Deletions of a name that a run which was cut off had not yet taken away from a file it moved: a member has the file by
-- more names than the ledger knew of, and by one that the source has, as the source has it. Nothing of it is to be kept.
-- ?1: the number of DELETE, ?2: the pair.
UPDATE temp.op
   SET keep = 0
 WHERE id IN (
    SELECT o.id
      FROM temp.op o INDEXED BY op_order
     CROSS JOIN main.file f ON f.pair = ?2 AND f.path = o.path
     CROSS JOIN temp.scan m ON m.side IN (1, 2) AND m.path = o.path
     WHERE o.action = ?1 AND o.keep = 1 AND o.members >> m.side & 1
       AND f.sha256 IS NOT NULL
       AND m.mode & 61440 = 32768 AND m.error = 0 AND m.nlink > f.nlink AND m.size = f.size
       AND EXISTS (SELECT 1
                     FROM temp.scan n INDEXED BY scan_link
                    CROSS JOIN temp.scan s ON s.side = 0 AND s.path = n.path
                    WHERE n.side = m.side AND n.dev = m.dev AND n.ino = m.ino AND n.nlink > 1
                      AND n.mode & 61440 <> 16384 AND n.path <> m.path
                      AND s.mode & 61440 = 32768 AND s.error = 0
                      AND s.size = m.size AND s.mtime = m.mtime AND s.mtime_ns = m.mtime_ns))
RETURNING (SELECT size FROM main.file WHERE pair = ?2 AND path = op.path)
