SELECT id, ended IS NOT NULL, result, pid, pid_start, boot, phase, work_done, work_all, phase_since, safe, disks
  FROM run
 WHERE pair = ?1 AND command NOT IN ('heal', 'accept')
 ORDER BY id DESC
 LIMIT 1
