INSERT OR REPLACE INTO temp.evidence (path, side, error, changing, sha256) VALUES (?1, ?2, ?3, ?4, ?5)
