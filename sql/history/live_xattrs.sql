SELECT path FROM (SELECT path FROM temp.live_xattrs WHERE pair = ?1 AND xattrs = ?2 AND ?3 > 0 AND gone = 0 ORDER BY path LIMIT 20)
 UNION ALL
SELECT path FROM (SELECT path FROM temp.live_xattrs WHERE pair = ?1 AND xattrs = ?2 AND gone = 1 ORDER BY path LIMIT 20)
