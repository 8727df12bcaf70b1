UPDATE pair SET differs = ?2 WHERE id = ?1
