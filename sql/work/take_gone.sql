DELETE FROM temp.gone WHERE op = ?1
