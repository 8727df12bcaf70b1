SELECT letter, id, token, identity, serial, wwn, model, size, generation, last_proven, state
  FROM member
 WHERE pair = ?1 AND retired IS NULL
