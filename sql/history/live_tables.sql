-- Where contents and attributes are in the collection itself: made once, for whoever goes back.
CREATE TEMP TABLE IF NOT EXISTS live (pair INTEGER, sha256 BLOB, path BLOB, a INTEGER, b INTEGER);
CREATE INDEX IF NOT EXISTS temp.live_of ON live (pair, sha256, path);
-- gone 1: they were there before a run, and still are on a member that had no part in it.
CREATE TEMP TABLE IF NOT EXISTS live_xattrs (pair INTEGER, xattrs BLOB, path BLOB, gone INTEGER);
CREATE INDEX IF NOT EXISTS temp.live_attributes ON live_xattrs (pair, xattrs, gone, path);
