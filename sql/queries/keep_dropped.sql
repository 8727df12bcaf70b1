-- Before a file's entry is dropped.
INSERT OR REPLACE INTO version
SELECT pair, path, (SELECT max(id) FROM run WHERE pair = ?1), since, dev, ino, mode, uid, gid, nlink, size, blocks,
       mtime, mtime_ns, rdev, target, xattrs, sha256
  FROM file
 WHERE pair = ?1 AND path = ?2 AND since < (SELECT max(id) FROM run WHERE pair = ?1)
   AND (sha256 IS NULL OR had & 6 <> 0)
   AND (mode & 61440 <> 32768 OR sha256 IS NOT NULL)
