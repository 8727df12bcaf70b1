INSERT INTO drill (pair, at, files, bytes, failed) VALUES (?1, ?2, ?3, ?4, ?5)
