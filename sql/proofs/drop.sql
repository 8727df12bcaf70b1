-- ?2: one side alone, or NULL.
DELETE FROM proof WHERE pair = ?1 AND (?2 IS NULL OR side = ?2)
