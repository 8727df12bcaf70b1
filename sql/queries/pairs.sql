SELECT id, uuid, collection, layout, generation, intent, cycle, differs FROM pair WHERE retired IS NULL ORDER BY collection
