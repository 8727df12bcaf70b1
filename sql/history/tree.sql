-- The tree as run ?2 left it: ?3 and what is below it, ?3 || '/' being ?4 and what follows on that ?5. A content that no
-- member ever got is passed over for what was there before it.
SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, 0, 0, rdev, target, xattrs, sha256, since,
       0
  FROM file
 WHERE pair = ?1 AND since <= ?2 AND (path = ?3 OR (path > ?4 AND (?5 IS NULL OR path < ?5)))
   AND (sha256 IS NULL OR had & 6 <> 0)
 UNION ALL
SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, 0, 0, rdev, target, xattrs, sha256, since,
       until
  FROM version v
 WHERE pair = ?1 AND since <= ?2 AND (path = ?3 OR (path > ?4 AND (?5 IS NULL OR path < ?5)))
   AND (until > ?2
        OR until = (SELECT f.since FROM file f
                     WHERE f.pair = ?1 AND f.path = v.path AND f.sha256 IS NOT NULL AND f.had & 6 = 0))
 ORDER BY path
