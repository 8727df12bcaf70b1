INSERT OR REPLACE INTO temp.scan
       (side, path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, ctime, ctime_ns, rdev, target,
        xattrs, error, place, whole)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
