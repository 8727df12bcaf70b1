INSERT INTO mail (run, at, subject, error) VALUES (nullif(?1, 0), ?2, ?3, ?4)
