UPDATE member SET identity = ?2, serial = ?3, wwn = ?4, model = ?5, size = ?6 WHERE id = ?1
