-- A connection that writes: the ledger survives a power cut at any moment, and the log beside it stays small.
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -12288;
-- The working tables go to a file of their own, so that memory does not grow with the tree. They need not survive
-- anything.
PRAGMA temp_store = FILE;
PRAGMA temp.cache_size = -16384;
