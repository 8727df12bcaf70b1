-- ?2: the member, ?3: now
UPDATE member SET retired = ?3 WHERE pair = ?1 AND id = ?2 AND retired IS NULL
