UPDATE run SET accepted = ?2 WHERE id = ?1
