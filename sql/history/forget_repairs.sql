-- ?2: 1 for member A, 2 for member B.
DELETE FROM repair WHERE pair = ?1 AND member = iif(?2 = 1, 'A', 'B')
