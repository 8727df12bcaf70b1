-- ?3: the place before, ?4: the run, below 0 all of them, ?5: how many.
SELECT place, run, kind, path, mode, uid, gid, size, mtime, mtime_ns, xattrs, sha256, base, stored, stored_size
  FROM kept
 WHERE pair = ?1 AND member = ?2 AND place > ?3 AND (?4 < 0 OR run = ?4)
 ORDER BY place
 LIMIT ?5
