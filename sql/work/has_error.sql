SELECT 1 FROM temp.scan INDEXED BY scan_error WHERE side = 0 AND path = ?1 AND error <> 0
