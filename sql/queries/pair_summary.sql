SELECT files, oldest_proof, used, free FROM pair WHERE id = ?1
