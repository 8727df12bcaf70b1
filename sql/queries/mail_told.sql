-- When what run ?1 has found was told, unless something else has been found since: in its dock (?2 = 1), else of its
-- pair.
SELECT max(m.at)
  FROM run this
  JOIN run r ON r.event = this.event AND r.id < this.id AND iif(?2, r.dock = this.dock, r.pair = this.pair)
  JOIN mail m ON m.run = r.id
 WHERE this.id = ?1
   AND NOT EXISTS (SELECT 1 FROM run o
                    WHERE o.id > r.id AND o.id < this.id AND iif(?2, o.dock = this.dock, o.pair = this.pair)
                      AND o.command IN ('run', 'verify') AND o.ended IS NOT NULL AND o.event IS NOT this.event)
