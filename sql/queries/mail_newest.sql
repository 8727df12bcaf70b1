SELECT max(at) FROM mail WHERE event = ?1
