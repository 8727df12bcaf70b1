INSERT INTO mail (run, event, at, subject, message, error)
VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, 'It has not been handed over yet.')
