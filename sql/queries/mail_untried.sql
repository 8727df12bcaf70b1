-- The mailer hangs: what comes after ?1 is not tried now, for the same reason ?2.
UPDATE mail SET error = ?2 WHERE message IS NOT NULL AND id > ?1
