DELETE FROM copy.drill WHERE pair = ?1
