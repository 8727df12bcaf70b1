-- The start of the last run that brought both members up to date, read back what it wrote, and ended with exit 0. In a
-- dock that mirrors, the dock has done it to the one that is not seen.
SELECT started
  FROM run
 WHERE pair = ?1 AND command = 'run' AND exit = 0 AND result IN ('done', 'done-unproven')
   AND state_a IN ('ok', 'unproven', 'unseen') AND state_b IN ('ok', 'unproven', 'unseen')
 ORDER BY id DESC
 LIMIT 1
