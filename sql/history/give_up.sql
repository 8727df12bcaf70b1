UPDATE member
   SET given_up = max(given_up, ?3)
 WHERE pair = ?1 AND letter = CASE ?2 WHEN 1 THEN 'A' ELSE 'B' END AND retired IS NULL
