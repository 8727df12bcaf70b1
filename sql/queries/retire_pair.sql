-- ?2: now
UPDATE pair SET retired = ?2 WHERE id = ?1 AND retired IS NULL
