INSERT INTO member (pair, letter, token, identity, serial, wwn, model, size, generation, last_proven, state, enrolled)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
