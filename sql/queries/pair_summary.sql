SELECT files, oldest_proof, used, free, enrolled FROM pair WHERE id = ?1
