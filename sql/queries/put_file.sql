-- Who had a content stays known; whether a copy was found bad (?26) is the caller's to say. "since" stays while nothing
-- changes that a restore would show.
INSERT OR REPLACE INTO file
       (pair, path, dev, ino, mode, uid, gid, nlink, size, blocks, mtime, mtime_ns, ctime, ctime_ns, rdev, target,
        xattrs, sha256, held, source_cycle, source_proven, a_cycle, a_proven, b_cycle, b_proven, had, since)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
        ?25,
        ?26 | iif(?22, 2, 0) | iif(?24, 4, 0)
            | ifnull((SELECT had & 6 FROM file WHERE pair = ?1 AND path = ?2 AND sha256 = ?18), 0),
        ifnull((SELECT since FROM file
                 WHERE pair = ?1 AND path = ?2
                   AND (mode, uid, gid, size, mtime, mtime_ns, rdev) = (?5, ?6, ?7, ?9, ?11, ?12, ?15)
                   AND target IS ?16 AND xattrs IS ?17 AND sha256 IS ?18
                   AND (nlink = ?8 AND ((dev, ino) = (?3, ?4) OR nlink = 1 OR mode & 61440 = 16384)
                        OR mode & 61440 = 16384)),
               ifnull((SELECT max(id) FROM run WHERE pair = ?1), 0)))
