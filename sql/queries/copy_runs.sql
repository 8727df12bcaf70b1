INSERT INTO copy.run
SELECT * FROM main.run WHERE pair = ?1 AND id NOT IN (SELECT id FROM copy.run) ORDER BY id
