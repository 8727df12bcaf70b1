UPDATE main.file
   SET a_cycle = iif(d.members & 2, 0, file.a_cycle), a_proven = iif(d.members & 2, 0, file.a_proven),
       b_cycle = iif(d.members & 4, 0, file.b_cycle), b_proven = iif(d.members & 4, 0, file.b_proven)
  FROM temp.doubted d
 WHERE file.pair = ?1 AND file.path = d.path
