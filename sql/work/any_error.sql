SELECT EXISTS (SELECT 1 FROM temp.scan INDEXED BY scan_error WHERE side = 0 AND error <> 0)
