-- ?3: 0, or the time of a full proof. A round of proving may take several runs: what is told is the oldest evidence.
UPDATE member
   SET state = ?2,
       last_proven = iif(?3 = 0, last_proven,
                         ifnull((SELECT min(iif(member.letter = 'A', a_proven, b_proven))
                                   FROM file
                                  WHERE file.pair = member.pair AND sha256 IS NOT NULL), ?3))
 WHERE id = ?1
