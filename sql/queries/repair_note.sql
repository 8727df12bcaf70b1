INSERT OR REPLACE INTO repair (pair, path, member, place, cause, detail, run)
VALUES (?1, ?2, ?3, ifnull(?4, x''), ?5, ?6, ?7)
