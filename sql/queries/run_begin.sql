INSERT INTO run (pair, collection, uuid, dock, command, host, started, verdict, result, after_interrupted, pid,
                 pid_start, boot)
VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, ?10, ?11, ?12)
