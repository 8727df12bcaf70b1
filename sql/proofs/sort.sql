-- In the order in which "file" lies on the disk, away from the ledger, so that it can be entered in steps.
INSERT INTO temp.entering (path, side, sha256, cycle, proven)
SELECT path, side, sha256, cycle, proven FROM main.proof WHERE pair = ?1 ORDER BY path, id
