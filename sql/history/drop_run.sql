-- ?3: the directory's name with a slash behind it, ?4: with the character that follows the slash.
DELETE FROM kept WHERE pair = ?1 AND member = ?2 AND place > ?3 AND place < ?4
