-- ?13: a number that this run comes after, known from elsewhere: numbers order the runs, also after a ledger was lost.
INSERT INTO run (id, pair, collection, uuid, dock, command, host, started, verdict, result, after_interrupted, pid,
                 pid_start, boot)
VALUES (iif(?13 > (SELECT ifnull(max(id), 0) FROM run), ?13 + 1, NULL), nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8,
        'running', ?9, ?10, ?11, ?12)
