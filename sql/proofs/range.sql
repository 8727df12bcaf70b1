SELECT (SELECT min(id) FROM proof), (SELECT max(id) FROM proof)
