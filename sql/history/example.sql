-- A delta on a member that stands on what its file is now: the shortest path of the newest run that has one.
SELECT k.place, k.path
  FROM kept k JOIN file f ON f.pair = k.pair AND f.path = k.path AND f.sha256 = k.base
 WHERE k.pair = ?1 AND k.member = ?2 AND k.kind = 'delta'
 ORDER BY k.run DESC, length(k.path)
 LIMIT 1
