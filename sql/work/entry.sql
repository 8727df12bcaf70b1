SELECT path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, ctime, ctime_ns, rdev, target, xattrs,
       error
  FROM temp.scan
 WHERE side = ?1 AND path = ?2
