SELECT side, error, changing, sha256 FROM temp.evidence WHERE path = ?1
