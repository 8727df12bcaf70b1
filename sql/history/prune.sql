DELETE FROM version
 WHERE pair = ?1 AND until <= (SELECT min(given_up) FROM member WHERE pair = ?1 AND retired IS NULL)
