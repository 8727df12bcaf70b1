SELECT started FROM run WHERE id = ?1
