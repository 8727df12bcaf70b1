UPDATE file SET source_cycle = ?3, source_proven = ?4 WHERE pair = ?1 AND path = ?2
