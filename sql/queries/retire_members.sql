-- All that are left of a pair. ?2: now
UPDATE member SET retired = ?2 WHERE pair = ?1 AND retired IS NULL
