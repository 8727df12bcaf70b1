SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, 0, 0, rdev, target, xattrs, sha256, since,
       until
  FROM (SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, rdev, target, xattrs, sha256, since,
               0 AS until
          FROM file
         WHERE pair = ?1 AND sha256 IS NOT NULL AND had & 6 <> 0
         UNION ALL
        SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, rdev, target, xattrs, sha256, since,
               until
          FROM version
         WHERE pair = ?1 AND sha256 IS NOT NULL)
 ORDER BY random()
 LIMIT ?2
