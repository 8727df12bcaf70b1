UPDATE copy.run
   SET pair = nullif(?2, 0), collection = ?3, uuid = ?4, dock = ?5, ended = ?6, verdict = ?7, result = ?8, exit = ?9,
       reason = ?10, files = ?11, bytes = ?12, copied = ?13, copied_bytes = ?14, renamed = ?15, deleted = ?16,
       updated = ?17, proven = ?18, proven_bytes = ?19, unproven = ?20, held = ?21, repaired = ?22, unreadable = ?23,
       noted = ?24, state_source = ?25, state_a = ?26, state_b = ?27, after_interrupted = ?28
 WHERE id = ?1
