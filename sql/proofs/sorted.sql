SELECT path, side, sha256, cycle, proven FROM temp.entering ORDER BY id
