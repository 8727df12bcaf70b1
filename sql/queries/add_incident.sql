INSERT INTO incident (run, kind, cause, path, member, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
