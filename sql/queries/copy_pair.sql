INSERT INTO copy.pair SELECT * FROM main.pair WHERE id = ?1
