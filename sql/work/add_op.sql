-- ?10: its order is that of the places on the disk it is copied from.
INSERT INTO temp.op (action, why, members, path, from_path, keep, quarantine, origin, size, place)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
        iif(?10, ifnull((SELECT place FROM temp.scan WHERE side = ?8 AND path = ?4), 0), 0))
