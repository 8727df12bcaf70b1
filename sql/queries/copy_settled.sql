INSERT INTO copy.settled SELECT * FROM main.settled WHERE pair = ?1
