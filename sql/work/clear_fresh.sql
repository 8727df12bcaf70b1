DELETE FROM temp.fresh
