DELETE FROM copy.incident
 WHERE run IN (SELECT id
                 FROM copy.run
                WHERE pair = ?1 AND (ended IS NULL OR id = (SELECT max(id) FROM copy.run WHERE pair = ?1)))
