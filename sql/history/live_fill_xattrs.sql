INSERT INTO temp.live_xattrs SELECT pair, xattrs, path FROM main.file WHERE pair = ?1 AND xattrs IS NOT NULL
