-- Also what a path still has because the content that the ledger has for it came to no member.
SELECT path FROM temp.live WHERE pair = ?1 AND sha256 = ?2 AND iif(?3 = 1, a, b)
 UNION
SELECT v.path
  FROM version v JOIN file f ON f.pair = v.pair AND f.path = v.path AND f.since = v.until
 WHERE v.pair = ?1 AND v.sha256 = ?2 AND f.had & 6 = 0 AND f.sha256 IS NOT NULL
 LIMIT 20
