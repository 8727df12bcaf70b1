-- ?1: the list, ?2: the side, ?3: the pair, ?4: the round of proving. A file with several names is read by the first of
-- them, when any of them is not proven; and by those besides that are another inode on the member, or missing there. The
-- source's proof holds for the state that was read: a ctime that has moved since asks for a new one, in the same round
-- too.
INSERT INTO temp.job (list, place, path, size, sha256, mtime, mtime_ns, ctime, ctime_ns, whole)
SELECT ?1, ifnull(t.place, 0) AS place, s.path AS path, s.size,
       iif(s.nlink <= 1
           AND (?2 > 0
                OR f.held = 0 AND f.dev = s.dev AND f.ino = s.ino AND f.mode = s.mode AND f.uid = s.uid
                   AND f.gid = s.gid AND f.nlink = s.nlink AND f.size = s.size AND f.blocks = s.blocks
                   AND f.mtime = s.mtime AND f.mtime_ns = s.mtime_ns AND f.ctime = s.ctime
                   AND f.ctime_ns = s.ctime_ns AND f.xattrs IS s.xattrs),
           f.sha256, NULL),
       s.mtime, s.mtime_ns, s.ctime, s.ctime_ns,
       ?2 > 0 AND ifnull(t.whole AND t.size = s.size AND NOT EXISTS (SELECT 1 FROM temp.op o WHERE o.path = s.path), 0)
  FROM (SELECT *,
               iif(nlink > 1,
                   (SELECT e.path
                      FROM temp.scan e INDEXED BY scan_link
                     WHERE e.side = 0 AND e.dev = n.dev AND e.ino = n.ino AND e.nlink > 1
                       AND e.mode & 61440 <> 16384
                     ORDER BY e.path
                     LIMIT 1), path) AS first
          FROM temp.scan n
         WHERE side = 0 AND mode & 61440 = 32768 AND error = 0) s
  LEFT JOIN temp.scan t ON t.side = ?2 AND t.path = s.path
  LEFT JOIN main.file f ON f.pair = ?3 AND f.path = s.path
 WHERE CASE
       WHEN s.nlink <= 1 THEN
           f.sha256 IS NULL OR CASE ?2 WHEN 0 THEN f.source_cycle WHEN 1 THEN f.a_cycle ELSE f.b_cycle END < ?4
           OR ?2 = 0 AND (f.ctime <> s.ctime OR f.ctime_ns <> s.ctime_ns)
       WHEN s.first <> s.path THEN
           ?2 > 0
           AND (f.sha256 IS NULL OR iif(?2 = 1, f.a_cycle, f.b_cycle) < ?4)
           AND NOT EXISTS (SELECT 1
                             FROM temp.scan l
                            WHERE l.side = ?2 AND l.path = s.first AND l.dev = t.dev AND l.ino = t.ino)
       ELSE
           EXISTS (SELECT 1
                     FROM temp.scan n INDEXED BY scan_link
                     LEFT JOIN main.file g ON g.pair = ?3 AND g.path = n.path
                    WHERE n.side = 0 AND n.dev = s.dev AND n.ino = s.ino AND n.nlink > 1
                      AND n.mode & 61440 <> 16384
                      AND (g.sha256 IS NULL
                           OR CASE ?2 WHEN 0 THEN g.source_cycle WHEN 1 THEN g.a_cycle ELSE g.b_cycle END < ?4
                           OR ?2 > 0 AND g.sha256 IS NOT f.sha256
                           OR ?2 = 0 AND (g.ctime <> n.ctime OR g.ctime_ns <> n.ctime_ns))
                      AND (?2 = 0 OR n.path = s.path
                           OR EXISTS (SELECT 1
                                        FROM temp.scan l
                                       WHERE l.side = ?2 AND l.path = n.path AND l.dev = t.dev AND l.ino = t.ino)))
       END
 ORDER BY place, path
