SELECT id, uuid, collection, layout, generation, intent, cycle FROM pair WHERE retired IS NULL ORDER BY collection
