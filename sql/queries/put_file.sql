INSERT OR REPLACE INTO file
       (pair, path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, ctime, ctime_ns, rdev, target,
        xattrs, sha256, held, source_cycle, source_proven, a_cycle, a_proven, b_cycle, b_proven)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
        ?25)
