SELECT copy_rows, copy_sha256 FROM member WHERE id = ?1
