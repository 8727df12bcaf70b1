-- Private to the connection; for the time of entering.
DROP TABLE IF EXISTS temp.entering;
CREATE TEMP TABLE entering (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL, side INTEGER NOT NULL, sha256 BLOB NOT NULL, cycle INTEGER NOT NULL,
    proven INTEGER NOT NULL
) STRICT;
