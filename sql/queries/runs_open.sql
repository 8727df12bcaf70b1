SELECT id, pid, pid_start, boot FROM run WHERE pair IS nullif(?1, 0) AND ended IS NULL ORDER BY id
