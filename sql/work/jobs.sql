SELECT path, size FROM temp.job WHERE list = ?1 ORDER BY place, path
