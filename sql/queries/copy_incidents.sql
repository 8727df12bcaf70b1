INSERT INTO copy.incident
SELECT i.*
  FROM main.incident i JOIN main.run r ON r.id = i.run
 WHERE r.pair = ?1 AND i.id NOT IN (SELECT id FROM copy.incident)
 ORDER BY i.id
