-- ?3 to ?5, ?6 to ?8, ?9 to ?11: what was read of the source, of A and of B (NULL: nothing), the round and the time.
UPDATE file
   SET source_cycle = iif(sha256 = ?3, max(source_cycle, ?4), source_cycle),
       source_proven = iif(sha256 = ?3, ?5, source_proven),
       a_cycle = iif(sha256 = ?6, max(a_cycle, ?7), a_cycle),
       a_proven = iif(sha256 = ?6, ?8, a_proven),
       b_cycle = iif(sha256 = ?9, max(b_cycle, ?10), b_cycle),
       b_proven = iif(sha256 = ?9, ?11, b_proven),
       had = (had | iif(sha256 = ?6, 2, 0) | iif(sha256 = ?9, 4, 0))
             & ~(iif(sha256 = ?6, 32, 0) | iif(sha256 = ?9, 64, 0))
 WHERE pair = ?1 AND path = ?2
