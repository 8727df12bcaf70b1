DELETE FROM repair WHERE run = ?1
