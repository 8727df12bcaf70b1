-- Told too late is not worth telling: older than ?1, or of an event (?2, may be NULL) that is told anew.
UPDATE mail SET message = NULL WHERE message IS NOT NULL AND (at < ?1 OR event = ?2)
