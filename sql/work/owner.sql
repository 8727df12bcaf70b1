SELECT path, source_dev, source_ino FROM temp.owner WHERE side = ?1 AND dev = ?2 AND ino = ?3
