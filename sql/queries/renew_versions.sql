DELETE FROM copy.version WHERE pair = ?1
