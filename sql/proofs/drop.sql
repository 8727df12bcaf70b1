-- ?2: one side alone, or NULL; ?3 to ?4: of these rows. To delete many at once SQLite would keep the number of each in
-- memory first.
DELETE FROM proof WHERE id BETWEEN ?3 AND ?4 AND pair = ?1 AND (?2 IS NULL OR side = ?2)
