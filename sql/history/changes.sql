-- What the paths ?2, or between ?3 and ?4, were and are; what never changed since the history began is left out. Then of
-- each content: where members have it.
WITH last AS (
    SELECT (SELECT id FROM run
             WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' AND state_a IN ('ok', 'unproven')
             ORDER BY id DESC LIMIT 1) AS a,
           (SELECT id FROM run
             WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' AND state_b IN ('ok', 'unproven')
             ORDER BY id DESC LIMIT 1) AS b),
    state AS (
    SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, 0, 0, rdev, target, xattrs, sha256,
           since, 0 AS until, had & 2, had & 4
      FROM file
     WHERE pair = ?1 AND (path = ?2 OR (path > ?3 AND (?4 IS NULL OR path < ?4)))
       AND (sha256 IS NULL OR had & 6 <> 0)
     UNION ALL
    SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, 0, 0, rdev, target, xattrs, sha256,
           since, until, -- a member that had no part in the runs since has it still
           (SELECT a >= since AND a < until FROM last)
           AND NOT EXISTS (SELECT 1 FROM file f WHERE f.pair = ?1 AND f.path = v.path AND f.had & 2),
           (SELECT b >= since AND b < until FROM last)
           AND NOT EXISTS (SELECT 1 FROM file f WHERE f.pair = ?1 AND f.path = v.path AND f.had & 4)
      FROM version v
     WHERE pair = ?1 AND (path = ?2 OR (path > ?3 AND (?4 IS NULL OR path < ?4))))
SELECT s.*,
       (SELECT started FROM run WHERE id = s.since), (SELECT started FROM run WHERE id = s.until),
       NOT EXISTS (SELECT 1 FROM version v WHERE v.pair = ?1 AND v.path = s.path AND v.until <= s.since),
       s.until > 0 AND NOT EXISTS (SELECT 1 FROM state n WHERE n.path = s.path AND n.since = s.until),
       (SELECT min(iif(kind = 'whole', 0, 1) << 48 | stored_size) FROM kept k
         WHERE k.pair = ?1 AND k.sha256 = s.sha256 AND k.member = 1 AND k.lost = 0 AND k.kind IN ('whole', 'delta')),
       (SELECT min(iif(kind = 'whole', 0, 1) << 48 | stored_size) FROM kept k
         WHERE k.pair = ?1 AND k.sha256 = s.sha256 AND k.member = 2 AND k.lost = 0 AND k.kind IN ('whole', 'delta'))
  FROM state s
 WHERE s.until > 0
    OR EXISTS (SELECT 1 FROM version v WHERE v.pair = ?1 AND v.path = s.path)
    OR s.since > (SELECT min(id) FROM run WHERE pair = ?1 AND command = 'run' AND verdict = 'ok')
    OR s.path = ?2 AND s.mode & 61440 <> 16384
 ORDER BY s.path, s.since DESC
