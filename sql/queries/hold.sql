UPDATE file SET held = ?3 WHERE pair = ?1 AND path = ?2
