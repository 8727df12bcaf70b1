-- Never lowered: a card may already have what was intended once.
UPDATE pair SET intent = max(intent, ?2) WHERE id = ?1
