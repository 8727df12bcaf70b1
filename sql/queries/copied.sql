UPDATE member SET copy_rows = ?2, copy_sha256 = ?3 WHERE id = ?1
