DELETE FROM copy.kept WHERE pair = ?1
