DELETE FROM repair WHERE pair = ?1 AND path = ?2 AND member = ?3 AND place = ifnull(?4, x'')
