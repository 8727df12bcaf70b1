INSERT INTO copy.drill SELECT * FROM main.drill WHERE pair = ?1
