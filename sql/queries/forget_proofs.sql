-- ?1: the pair, ?2: 1 for member A, 2 for member B. What was proven was proven of another state of this disk.
UPDATE file
   SET a_cycle = iif(?2 = 1, 0, a_cycle), a_proven = iif(?2 = 1, 0, a_proven),
       b_cycle = iif(?2 = 2, 0, b_cycle), b_proven = iif(?2 = 2, 0, b_proven)
 WHERE pair = ?1
