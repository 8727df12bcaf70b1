UPDATE run SET phase = ?2, work_done = ?3, work_all = ?4 WHERE id = ?1
