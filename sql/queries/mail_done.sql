-- ?2 NULL: the mailer has taken it.
UPDATE mail SET message = iif(?2 IS NULL, NULL, message), claimed = 0, error = ?2 WHERE id = ?1
