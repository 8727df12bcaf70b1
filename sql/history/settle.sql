INSERT OR REPLACE INTO settled (pair, member, name, run) VALUES (?1, ?2, ?3, ?4)
