UPDATE pair SET used = ?2, free = ?3 WHERE id = ?1
