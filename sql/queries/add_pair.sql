INSERT INTO pair (uuid, collection, layout, generation, intent, cycle, enrolled)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
