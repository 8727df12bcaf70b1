SELECT max(at) FROM drill WHERE pair = ?1 AND failed = 0
