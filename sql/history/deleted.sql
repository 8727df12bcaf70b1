-- When the path ?3, or all that was below it (between ?4 and ?5), was last found gone up to run ?2; and the backup before,
-- which still had it, as far back as trees can be told.
SELECT gone.started, had.id, had.started
  FROM version v
  JOIN run gone ON gone.id = v.until
  JOIN run had ON had.id = (SELECT max(id) FROM run
                             WHERE pair = ?1 AND command = 'run' AND verdict = 'ok' AND id < v.until
                               AND id >= (SELECT min(given_up) FROM member WHERE pair = ?1 AND retired IS NULL))
 WHERE v.pair = ?1 AND v.until <= ?2 AND v.since <= had.id AND (v.path = ?3 OR (v.path > ?4 AND (?5 IS NULL OR v.path < ?5)))
 ORDER BY v.until DESC
 LIMIT 1
