DELETE FROM kept WHERE pair = ?1 AND member = ?2 AND place = ?3
