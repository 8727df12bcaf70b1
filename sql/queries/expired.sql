-- What is older than ?3 seconds for certain, in run ?2 of pair ?1: the newest such run, and the time before which such
-- things were made; 0: nothing is. A clock may be wrong, so
-- - two runs with a day between them must both think so: one with its clock ahead gives up nothing;
-- - a run's time counts only if it lies between those of the runs before it and now, and after 2001, where no machine
--   that has lost its time of day will be. A run whose time does not count is as young as the next whose time does.
WITH this AS (SELECT started FROM run WHERE id = ?2),
     horizon AS (SELECT min(this.started, ifnull(r.started, 0)) - ?3 AS time
                   FROM this
                   LEFT JOIN run r ON r.id = (SELECT max(id)
                                                FROM run
                                               WHERE pair = ?1 AND id < ?2 AND ended IS NOT NULL
                                                 AND started <= this.started - 86400)),
     timed AS (SELECT id, run.started, max(run.started) OVER (ORDER BY id) AS latest
                 FROM run, this
                WHERE pair = ?1 AND id < ?2 AND run.started BETWEEN 1000000000 AND this.started)
SELECT ifnull((SELECT max(id) FROM timed WHERE started = latest AND started < horizon.time), 0), max(horizon.time, 0)
  FROM horizon
