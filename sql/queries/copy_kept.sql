INSERT INTO copy.kept SELECT * FROM main.kept WHERE pair = ?1
