-- The same for ?2 of its members, without keeping what was there: it has moved.
INSERT INTO temp.op (action, why, members, path, from_path, keep, quarantine, origin, size, place)
SELECT action, why, members & ?2, path, from_path, 0, quarantine, origin, size, place FROM temp.op WHERE id = ?1
