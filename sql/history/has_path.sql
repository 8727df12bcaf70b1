SELECT EXISTS (SELECT 1 FROM file WHERE pair = ?1 AND path = ?2) OR EXISTS (SELECT 1 FROM version WHERE pair = ?1 AND path = ?2)
