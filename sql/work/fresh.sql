SELECT path, op, why, members, size, ino, mtime, mtime_ns FROM temp.fresh ORDER BY path
