UPDATE member SET state = ?2, last_proven = iif(?3 = 0, last_proven, ?3) WHERE id = ?1
