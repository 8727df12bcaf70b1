-- A path whose content in the ledger never came to any member gets another, or goes: the version before it lasted until
-- now.
UPDATE OR REPLACE version
   SET until = (SELECT max(id) FROM run WHERE pair = ?1)
 WHERE pair = ?1 AND path = ?2
   AND until = (SELECT since FROM file
                 WHERE pair = ?1 AND path = ?2 AND sha256 IS NOT NULL AND sha256 IS NOT ?3
                   AND had & 6 = 0)
