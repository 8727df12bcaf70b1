-- ?1: the pair, ?2: the member. Another disk takes its letter: what was kept on the one before it is not on this one.
DELETE FROM kept WHERE pair = ?1 AND member = ?2
