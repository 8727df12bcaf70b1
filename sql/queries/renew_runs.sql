-- It was copied while it ran, and now has an end.
DELETE FROM copy.run WHERE pair = ?1 AND ended IS NULL
