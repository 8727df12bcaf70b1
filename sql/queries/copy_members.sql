INSERT INTO copy.member SELECT * FROM main.member WHERE pair = ?1
