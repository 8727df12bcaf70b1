-- Files with one name, and one for each group of names.
SELECT sum(files), sum(bytes)
  FROM (SELECT count(*) AS files, ifnull(sum(size), 0) AS bytes
          FROM temp.scan
         WHERE side = ?1 AND mode & 61440 = 32768 AND nlink <= 1
        UNION ALL
        SELECT count(*), ifnull(sum(size), 0)
          FROM (SELECT max(size) AS size
                  FROM temp.scan INDEXED BY scan_link
                 WHERE side = ?1 AND nlink > 1 AND mode & 61440 <> 16384 AND mode & 61440 = 32768
                 GROUP BY dev, ino))
