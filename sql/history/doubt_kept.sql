-- It is damaged, and not said to be lost: to be read again.
UPDATE kept SET cycle = 0 WHERE pair = ?1 AND member = ?2 AND place = ?3
