SELECT count(*), min(at), (SELECT error FROM mail WHERE message IS NOT NULL ORDER BY id DESC LIMIT 1)
  FROM mail
 WHERE message IS NOT NULL
