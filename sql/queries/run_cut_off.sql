UPDATE run SET ended = ?2, result = 'interrupted', exit = 6, reason = 'The run was cut off before its end.'
 WHERE id = ?1 AND ended IS NULL
