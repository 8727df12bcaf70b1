UPDATE pair SET generation = max(generation, ?2), intent = max(intent, ?2) WHERE id = ?1
