SELECT id, action, why, members, path, from_path, keep, quarantine, origin, size
  FROM temp.op
 WHERE action = ?1
 ORDER BY place, path
