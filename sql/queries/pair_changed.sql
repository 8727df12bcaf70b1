UPDATE pair SET files = NULL, oldest_proof = NULL WHERE id = ?1 AND files IS NOT NULL
