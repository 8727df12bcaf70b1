INSERT INTO temp.live_xattrs
SELECT pair, xattrs, path, 0 FROM main.file WHERE pair = ?1 AND xattrs IS NOT NULL
 UNION ALL
SELECT DISTINCT pair, xattrs, path, 1 FROM main.version WHERE pair = ?1 AND xattrs IS NOT NULL
