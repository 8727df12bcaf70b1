-- Where a content was, and on this member may be still: a run that it had no part in has replaced or deleted it. First
-- what was so after the last run that it had a part in.
WITH last AS (SELECT id
                FROM run
               WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' AND iif(?3 = 1, state_a, state_b) IN ('ok', 'unproven')
               ORDER BY id DESC
               LIMIT 1)
SELECT v.path, v.size, v.mtime, v.mtime_ns
  FROM version v
 WHERE v.pair = ?1 AND v.sha256 = ?2
   AND NOT EXISTS (SELECT 1 FROM file f WHERE f.pair = v.pair AND f.path = v.path AND f.had & iif(?3 = 1, 2, 4))
 GROUP BY v.path, v.mtime, v.mtime_ns
 ORDER BY max((SELECT id FROM last) >= v.since AND (SELECT id FROM last) < v.until) DESC, max(v.until) DESC
 LIMIT 20
