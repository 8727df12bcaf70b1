INSERT INTO temp.live
SELECT pair, sha256, path, a_proven <> 0, b_proven <> 0 FROM main.file WHERE pair = ?1 AND sha256 IS NOT NULL
