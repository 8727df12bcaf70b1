INSERT OR REPLACE INTO kept
       (pair, member, place, run, kind, path, mode, uid, gid, size, mtime, mtime_ns, xattrs, sha256, base, stored,
        stored_size)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
