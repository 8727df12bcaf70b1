-- What operations are about to replace or take away on members, and is on record as proven there. ?1: the pair, the
-- others: the actions that do.
INSERT INTO temp.doubted (path, members, a_cycle, a_proven, b_cycle, b_proven)
SELECT f.path, o.members, f.a_cycle, f.a_proven, f.b_cycle, f.b_proven
  FROM temp.op o
 CROSS JOIN main.file f ON f.pair = ?1 AND f.path = o.path
 WHERE o.action IN (?2, ?3, ?4, ?5, ?6, ?7) AND (o.members & 2 AND f.a_proven <> 0 OR o.members & 4 AND f.b_proven <> 0)
    ON CONFLICT (path) DO UPDATE SET members = members | excluded.members
