SELECT id, pair, collection, uuid, dock, command, host, started, ended, verdict, result, exit, reason, files, bytes,
       copied, copied_bytes, renamed, deleted, updated, proven, proven_bytes, unproven, held, repaired, unreadable,
       noted,
       state_source, state_a, state_b, after_interrupted
  FROM run
 WHERE pair = ?1 AND ended IS NOT NULL AND command NOT IN ('heal', 'accept')
 ORDER BY id DESC
 LIMIT 1
