-- The halves of a mirrored pair are the same: what one copy was proven to be, the other is as well. The newer evidence
-- counts for both. Rounds of proving are left alone: a run still reads what it would have read.
UPDATE file
   SET a_proven = max(a_proven, b_proven), b_proven = max(a_proven, b_proven), had = 6
 WHERE pair = ?1 AND a_proven <> b_proven
