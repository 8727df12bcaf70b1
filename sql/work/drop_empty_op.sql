DELETE FROM temp.op WHERE id = ?1 AND members = 0
