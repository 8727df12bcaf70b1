DELETE FROM copy.settled WHERE pair = ?1
