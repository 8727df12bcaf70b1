SELECT dev, ino FROM temp.scan WHERE side = ?1 AND path = ?2
