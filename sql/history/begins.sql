SELECT id, started
  FROM run
 WHERE pair = ?1 AND command = 'run' AND verdict = 'ok'
   AND id >= (SELECT min(given_up) FROM member WHERE pair = ?1 AND retired IS NULL)
 ORDER BY id
 LIMIT 1
