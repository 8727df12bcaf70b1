DELETE FROM temp.evidence WHERE path = ?1
