DELETE FROM temp.gone
