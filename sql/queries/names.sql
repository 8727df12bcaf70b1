SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, ctime, ctime_ns, rdev, target,
       xattrs, sha256, held, source_cycle, source_proven, a_cycle, a_proven, b_cycle, b_proven, had
  FROM file
 WHERE pair = ?1 AND ino = ?2
 ORDER BY path
