-- The newest was copied while it ran, and may have ended otherwise.
DELETE FROM copy.run WHERE pair = ?1 AND (ended IS NULL OR id = (SELECT max(id) FROM copy.run WHERE pair = ?1))
