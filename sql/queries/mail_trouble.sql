-- Was something wrong told of the pair of run ?1, or of its dock, that this run may end, and that no good run has ended
-- since? A backup ends all trouble, and what only reads the disks ends its own, as it does in last_run.sql.
SELECT EXISTS (SELECT 1
                 FROM run this
                 JOIN run r ON r.id < this.id AND r.exit <> 0
                           AND (r.pair = this.pair OR (r.pair IS NULL AND r.dock = this.dock))
                           AND (this.command IN ('run', r.command)
                                OR (this.command = 'check' AND r.verdict = 'unproven-pair'))
                 JOIN mail m ON m.run = r.id
                WHERE this.id = ?1
                  AND NOT EXISTS (SELECT 1 FROM run good
                                   WHERE good.id > r.id AND good.id < this.id AND good.exit = 0
                                     AND (good.command IN ('run', r.command)
                                          OR (good.command = 'check' AND r.verdict = 'unproven-pair'))
                                     AND good.ended IS NOT NULL
                                     AND iif(r.pair IS NULL, good.dock = r.dock, good.pair = r.pair)))
