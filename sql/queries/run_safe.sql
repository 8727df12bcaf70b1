UPDATE run SET safe = ?2, disks = ?3 WHERE id = ?1
