INSERT INTO copy.run SELECT * FROM main.run WHERE pair = ?1 ORDER BY id
