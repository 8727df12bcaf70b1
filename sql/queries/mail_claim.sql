-- The next mail after ?1 that is still to be handed over, for this process alone; ?2: now. A process that died at it
-- has lost its claim after ?3 seconds.
UPDATE mail
   SET claimed = ?2
 WHERE id = (SELECT min(id) FROM mail
              WHERE message IS NOT NULL AND id > ?1 AND claimed NOT BETWEEN ?2 - ?3 AND ?2)
RETURNING id, message
