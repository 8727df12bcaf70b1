INSERT INTO copy.file SELECT * FROM main.file WHERE pair = ?1 ORDER BY path
