INSERT INTO copy.version SELECT * FROM main.version WHERE pair = ?1
