DELETE FROM copy.member WHERE pair = ?1
