SELECT place, kind, base, NULL, size
  FROM kept
 WHERE pair = ?1 AND xattrs = ?2 AND member = ?3
 ORDER BY kind <> 'attributes', run DESC, place
 LIMIT 20
