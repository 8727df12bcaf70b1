DELETE FROM temp.doubted
