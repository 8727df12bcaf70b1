-- ?2: the member that is new. Its history begins after all the runs there were.
UPDATE member
   SET given_up = ifnull((SELECT max(id) FROM run WHERE pair = ?1), 0)
 WHERE pair = ?1 AND letter = CASE ?2 WHEN 1 THEN 'A' ELSE 'B' END AND retired IS NULL
