-- ?2: 1 for member A, 2 for member B.
UPDATE file SET had = had & ~(2 << (?2 - 1)) & ~(32 << (?2 - 1)) WHERE pair = ?1
