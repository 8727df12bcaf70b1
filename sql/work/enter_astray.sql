-- The same file of the source (inode, size, time) by a path that a member has, and the ledger does not know: it has been
-- moved by a run that was cut off, and takes over the knowledge. Of a held file it does so as well where the ledger knows
-- another file by that path, which it has replaced. ?1: the number of ENTER, ?2: the reason, ?3: the members,
-- ?4: the pair.
INSERT INTO temp.op (action, why, members, path, from_path, keep, quarantine, origin, size, place)
SELECT ?1, ?2, ?3, s.path, a.path, 0, 0, 0, 0, 0
  FROM temp.scan s
  JOIN temp.astray a ON a.ino = s.ino AND a.size = s.size AND a.mtime = s.mtime AND a.mtime_ns = s.mtime_ns
 WHERE s.side = 0 AND s.mode & 61440 = 32768 AND s.error = 0
   AND EXISTS (SELECT 1
                 FROM temp.scan m
                WHERE m.side IN (1, 2) AND m.path = s.path
                  AND (NOT a.held OR (m.size, m.mtime, m.mtime_ns) = (s.size, s.mtime, s.mtime_ns)))
   AND NOT EXISTS (SELECT 1
                     FROM main.file k
                    WHERE k.pair = ?4 AND k.path = s.path AND k.sha256 IS NOT NULL
                      AND (NOT a.held OR (k.size, k.mtime, k.mtime_ns) = (s.size, s.mtime, s.mtime_ns)))
