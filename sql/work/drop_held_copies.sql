-- What a held file's MOVE stands for now. A member that has no good copy to move gets one in the proof, from the other.
-- ?1: the number of MOVE, ?2: of COPY.
DELETE FROM temp.op
 WHERE action = ?2 AND path IN (SELECT path FROM temp.op WHERE action = ?1)
