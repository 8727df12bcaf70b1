DELETE FROM settled WHERE pair = ?1 AND member = ?2
