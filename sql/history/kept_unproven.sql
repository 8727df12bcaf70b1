-- ?3: the place before, ?4: the round of proving, ?5: how many.
SELECT place, run, kind, path, mode, uid, gid, size, mtime, mtime_ns, xattrs, sha256, base, stored, stored_size
  FROM kept
 WHERE pair = ?1 AND member = ?2 AND place > ?3 AND stored IS NOT NULL AND cycle < ?4 AND lost = 0
 ORDER BY place
 LIMIT ?5
