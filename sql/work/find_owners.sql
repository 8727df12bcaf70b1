-- With min() the other columns are those of the row that has the minimum.
INSERT INTO temp.owner (side, dev, ino, path, source_dev, source_ino)
SELECT m.side, m.dev, m.ino, min(m.path), s.dev, s.ino
  FROM temp.scan m INDEXED BY scan_link
 CROSS JOIN temp.scan s ON s.side = 0 AND s.path = m.path
 WHERE m.side > 0 AND m.nlink > 1 AND m.mode & 61440 <> 16384
 GROUP BY m.side, m.dev, m.ino
