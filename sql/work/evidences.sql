SELECT DISTINCT path FROM temp.evidence ORDER BY path
