UPDATE temp.op SET members = members & ~?2 WHERE id = ?1
