-- Paths that have or had a content, with its size.
SELECT l.path, f.size FROM temp.live l JOIN main.file f ON f.pair = l.pair AND f.path = l.path
 WHERE l.pair = ?1 AND l.sha256 = ?2
 UNION
SELECT path, size FROM version WHERE pair = ?1 AND sha256 = ?2
