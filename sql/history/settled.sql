SELECT name, run FROM settled WHERE pair = ?1 AND member = ?2 ORDER BY name
