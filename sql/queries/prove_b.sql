UPDATE file SET b_cycle = ?3, b_proven = ?4, had = (had | 4) & ~64 WHERE pair = ?1 AND path = ?2
