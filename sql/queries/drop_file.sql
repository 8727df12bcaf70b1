DELETE FROM file WHERE pair = ?1 AND path = ?2
