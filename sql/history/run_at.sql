SELECT id, started
  FROM run
 WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' AND started <= ?2
 ORDER BY started DESC, id DESC
 LIMIT 1
