DELETE FROM temp.doubted WHERE path = ?1
