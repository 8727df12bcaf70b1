-- Before a file's entry is replaced by put_file.sql (the same parameters): what it was goes to "version", unless a
-- restore would show no difference, or it was never found so by an earlier run. A content that no member ever had is
-- none to go back to: see extend_state.sql.
INSERT OR REPLACE INTO version
SELECT pair, path, (SELECT max(id) FROM run WHERE pair = ?1), since, dev, ino, mode, uid, gid, nlink, size, blocks,
       mtime, mtime_ns, rdev, target, xattrs, sha256
  FROM file
 WHERE pair = ?1 AND path = ?2 AND since < (SELECT max(id) FROM run WHERE pair = ?1)
   AND (sha256 IS NULL OR had & 6 <> 0)
   AND (mode & 61440 <> 32768 OR sha256 IS NOT NULL)
   AND NOT ((mode, uid, gid, size, mtime, mtime_ns, rdev) = (?5, ?6, ?7, ?9, ?11, ?12, ?15)
            AND target IS ?16 AND xattrs IS ?17 AND sha256 IS ?18
            AND (nlink = ?8 AND ((dev, ino) = (?3, ?4) OR nlink = 1 OR mode & 61440 = 16384)
                 OR mode & 61440 = 16384))
