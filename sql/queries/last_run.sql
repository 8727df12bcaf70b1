-- The run that a pair's flag rests on: the last backup, unless what has read the disks since then found something wrong,
-- the last of its kind. That the disks hold what the ledger knows says nothing of a backup that failed, was refused or
-- was cut off; only the proof that a refused one lacked can be made by a comparison. A backup without an end that
-- others came after is not running any more.
SELECT id, pair, collection, uuid, dock, command, host, started, ifnull(ended, 0), verdict,
       iif(ended IS NULL, 'interrupted', result), iif(ended IS NULL, 6, exit), reason, files, bytes,
       copied, copied_bytes, renamed, deleted, updated, proven, proven_bytes, unproven, held, repaired, unreadable,
       noted,
       state_source, state_a, state_b, after_interrupted
  FROM run this
 WHERE pair = ?1 AND command NOT IN ('heal', 'accept')
   AND iif(command NOT IN ('verify', 'check'),
           (ended IS NOT NULL OR id < (SELECT max(id) FROM run WHERE pair = ?1 AND command NOT IN ('heal', 'accept')))
           AND NOT (verdict = 'unproven-pair'
                    AND EXISTS (SELECT 1 FROM run proof
                                 WHERE proof.pair = ?1 AND proof.id > this.id
                                   AND proof.command = 'check' AND proof.ended IS NOT NULL AND proof.exit = 0)),
           exit <> 0
           AND id = (SELECT max(id) FROM run same
                      WHERE same.pair = ?1 AND same.command = this.command AND same.ended IS NOT NULL))
 ORDER BY id DESC
 LIMIT 1
