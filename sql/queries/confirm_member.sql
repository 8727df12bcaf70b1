UPDATE member SET generation = ?3 WHERE id = ?2 AND pair = ?1
