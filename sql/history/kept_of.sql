SELECT place, kind, base, stored, size
  FROM kept
 WHERE pair = ?1 AND sha256 = ?2 AND member = ?3 AND kind IN ('whole', 'delta')
 ORDER BY lost, kind = 'delta', run, place
