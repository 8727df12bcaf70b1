UPDATE pair SET files = ?2, oldest_proof = ?3 WHERE id = ?1
