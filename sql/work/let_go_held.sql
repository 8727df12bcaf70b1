-- ... and the deletions of their old paths keep nothing. ?1: the number of MOVE, ?2: of DELETE.
UPDATE temp.op
   SET keep = 0
 WHERE action = ?2 AND path IN (SELECT from_path FROM temp.op WHERE action = ?1)
