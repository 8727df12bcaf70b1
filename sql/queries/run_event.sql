UPDATE run SET event = ?2 WHERE id = ?1
