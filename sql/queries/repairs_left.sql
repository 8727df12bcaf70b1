-- Of runs before run ?2: what they have done, and what was in its place already when they were cut off, as it has been
-- read and found right in round ?3. In the columns of queries/incidents.sql.
SELECT 'repaired', r.cause, r.path, r.member, r.detail
  FROM repair r
  LEFT JOIN file f ON f.pair = r.pair AND f.path = r.path
  LEFT JOIN kept k ON k.pair = r.pair AND k.member = iif(r.member = 'A', 1, 2) AND k.place = r.place
 WHERE r.pair = ?1 AND r.run <> ?2
   AND (r.run <> 0
        OR CASE WHEN r.place <> x'' THEN k.cycle >= ?3 AND NOT k.lost
                WHEN r.member = 'A' THEN f.a_cycle >= ?3
                ELSE f.b_cycle >= ?3 END)
 ORDER BY r.path, r.member, r.place
