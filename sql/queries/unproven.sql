-- ?2 and ?3: whether A and B count. ?4: the round of proving.
SELECT ifnull(sum(copies), 0), ifnull(sum(copies * size), 0)
  FROM (SELECT (?2 AND a_cycle < ?4) + (?3 AND b_cycle < ?4) AS copies, size
          FROM file
         WHERE pair = ?1 AND sha256 IS NOT NULL)
