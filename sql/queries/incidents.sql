SELECT kind, cause, path, member, detail FROM incident WHERE run = ?1 ORDER BY path, id
