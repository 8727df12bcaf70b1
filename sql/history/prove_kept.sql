UPDATE kept SET cycle = ?4, proven = ?5, lost = ?6 WHERE pair = ?1 AND member = ?2 AND place = ?3
