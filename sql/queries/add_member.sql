-- A member that comes later has no history of what was before it.
INSERT INTO member (pair, letter, token, identity, serial, wwn, model, size, generation, last_proven, state, enrolled,
                    given_up)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, (SELECT ifnull(max(id), 0) FROM run WHERE pair = ?1))
