-- Rows are replaced by others of the same number: until the commit nothing refers to them.
PRAGMA defer_foreign_keys = ON;
