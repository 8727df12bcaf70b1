-- ?1: the number of DELETE.
INSERT INTO temp.stay (side, dev, ino)
SELECT DISTINCT m.side, m.dev, m.ino
  FROM temp.scan m INDEXED BY scan_link
 WHERE m.side > 0 AND m.nlink > 1 AND m.mode & 61440 <> 16384
   AND NOT EXISTS (SELECT 1
                     FROM temp.op o INDEXED BY op_order
                    WHERE o.action = ?1 AND o.place = 0 AND o.path = m.path AND o.members >> m.side & 1)
