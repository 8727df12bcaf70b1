DELETE FROM copy.pair WHERE id = ?1
