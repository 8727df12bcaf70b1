INSERT INTO temp.live
SELECT pair, sha256, path, had & 2, had & 4 FROM main.file WHERE pair = ?1 AND sha256 IS NOT NULL
