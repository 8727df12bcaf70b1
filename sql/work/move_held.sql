-- Held files that have replaced another file in the source, or whose old path has been taken by another: the members'
-- good copies go there too, instead of a copy of what has rotted. (Those whose new path is new, and whose old one is
-- gone, are found like all that only moved.) What somebody has accepted meanwhile is known by the new path.
-- ?1: the number of MOVE, ?2: of COPY, ?3: of DELETE, ?4: the pair.
INSERT INTO temp.op (action, why, members, path, from_path, keep, quarantine, origin, size, place)
SELECT ?1, why, members, path, from_path, 0, 0, 0, size, 0
  FROM (SELECT o.why, o.path, a.path AS from_path, o.size,
               o.members & (SELECT ifnull(sum(2 << (m.side - 1)), 0)
                              FROM temp.scan m
                             WHERE m.side IN (1, 2) AND m.path = a.path AND m.mode & 61440 = 32768 AND m.error = 0
                               AND m.nlink <= 1
                               AND (m.size, m.mtime, m.mtime_ns) = (a.size, a.mtime, a.mtime_ns)) AS members
          FROM temp.op o INDEXED BY op_order
         CROSS JOIN temp.scan s ON s.side = 0 AND s.path = o.path
         CROSS JOIN temp.astray a
            ON (a.ino, a.size, a.mtime, a.mtime_ns) = (s.ino, s.size, s.mtime, s.mtime_ns) AND a.path <> s.path
         WHERE o.action = ?2 AND o.origin = 0 AND a.held AND s.nlink <= 1
           AND (EXISTS (SELECT 1 FROM temp.scan m WHERE m.side IN (1, 2) AND m.path = o.path)
                OR NOT EXISTS (SELECT 1 FROM temp.op d WHERE d.path = a.path AND d.action = ?3))
           AND NOT EXISTS (SELECT 1
                             FROM main.file k
                            WHERE k.pair = ?4 AND k.path = s.path AND k.sha256 IS NOT NULL
                              AND (k.size, k.mtime, k.mtime_ns) = (s.size, s.mtime, s.mtime_ns))
           -- The old path has not become another held one's new path: what the ledger knows goes from one to the other.
           AND NOT EXISTS (SELECT 1
                             FROM temp.scan n
                             JOIN temp.astray b
                               ON (b.ino, b.size, b.mtime, b.mtime_ns) = (n.ino, n.size, n.mtime, n.mtime_ns)
                            WHERE n.side = 0 AND n.path = a.path))
 WHERE members <> 0
