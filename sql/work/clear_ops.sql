DELETE FROM temp.op
