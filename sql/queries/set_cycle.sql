UPDATE pair SET cycle = ?2 WHERE id = ?1
