SELECT path FROM temp.live_xattrs WHERE pair = ?1 AND xattrs = ?2 AND ?3 > 0 ORDER BY path LIMIT 20
