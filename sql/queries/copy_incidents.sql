INSERT INTO copy.incident
SELECT i.* FROM main.incident i JOIN main.run r ON r.id = i.run WHERE r.pair = ?1 ORDER BY i.id
