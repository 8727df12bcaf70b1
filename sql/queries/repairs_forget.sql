-- What queries/repairs_left.sql gives, and what has left the ledger since: nothing can be found out about that any more.
DELETE FROM repair
 WHERE pair = ?1 AND run <> ?2
   AND (run <> 0
        OR CASE
           WHEN place <> x'' THEN
               NOT EXISTS (SELECT 1
                             FROM kept k
                            WHERE k.pair = repair.pair AND k.member = iif(repair.member = 'A', 1, 2)
                              AND k.place = repair.place AND (k.cycle < ?3 OR k.lost))
           ELSE
               NOT EXISTS (SELECT 1
                             FROM file f
                            WHERE f.pair = repair.pair AND f.path = repair.path
                              AND iif(repair.member = 'A', f.a_cycle, f.b_cycle) < ?3) END)
