SELECT id, started FROM run WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' ORDER BY id
