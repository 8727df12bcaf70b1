UPDATE file SET a_cycle = ?3, a_proven = ?4, had = (had | 2) & ~32 WHERE pair = ?1 AND path = ?2
