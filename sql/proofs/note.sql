INSERT INTO proof (pair, side, path, sha256, cycle, proven) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
