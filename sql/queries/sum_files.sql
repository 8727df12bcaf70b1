-- Only members that are enrolled have copies that could be proven.
SELECT count(*),
       ifnull(min(min(iif(?2, a_proven, 9223372036854775807), iif(?3, b_proven, 9223372036854775807))), 0)
  FROM file
 WHERE pair = ?1 AND sha256 IS NOT NULL
