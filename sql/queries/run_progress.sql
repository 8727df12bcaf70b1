UPDATE run
   SET phase_since = iif(phase = ?2, phase_since, unixepoch()), phase = ?2, work_done = ?3, work_all = ?4
 WHERE id = ?1
