-- The working tables of one run. Private to the connection, gone with it. Sides: 0 the source, 1 member A, 2 member B;
-- a set of members has bit 1 << side. mode & 61440 is the file type: 32768 a regular file, 16384 a directory.
DROP TABLE IF EXISTS temp.scan;
DROP TABLE IF EXISTS temp.owner;
DROP TABLE IF EXISTS temp.op;
DROP TABLE IF EXISTS temp.stay;
DROP TABLE IF EXISTS temp.gone;
DROP TABLE IF EXISTS temp.fresh;
DROP TABLE IF EXISTS temp.astray;
DROP TABLE IF EXISTS temp.doubted;
DROP TABLE IF EXISTS temp.job;
DROP TABLE IF EXISTS temp.evidence;

-- What the walks found.
CREATE TEMP TABLE scan (
    side INTEGER NOT NULL, path BLOB NOT NULL,
    dev INTEGER NOT NULL, ino INTEGER NOT NULL, mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
    nlink INTEGER NOT NULL, size INTEGER NOT NULL, blocks INTEGER NOT NULL, mtime INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, rdev INTEGER NOT NULL, target BLOB,
    xattrs BLOB, error INTEGER NOT NULL,
    place INTEGER NOT NULL, -- where the data begins on the disk, in bytes; the inode's number where that is not known
    whole INTEGER NOT NULL, -- 1: there it lies in one piece
    PRIMARY KEY (side, path)
) STRICT, WITHOUT ROWID;
-- Names that share an inode with others: few in most trees, so hard links cost nothing where there are none.
CREATE INDEX temp.scan_link ON scan (side, dev, ino, path) WHERE nlink > 1 AND mode & 61440 <> 16384;
CREATE INDEX temp.scan_error ON scan (side, path) WHERE error <> 0;

-- For each shared inode of a member the first of its paths that the source has too, and what that is in the source: the
-- inode is this one's, other files of the source cannot have it.
CREATE TEMP TABLE owner (
    side INTEGER NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL,
    path BLOB NOT NULL, source_dev INTEGER NOT NULL, source_ino INTEGER NOT NULL,
    PRIMARY KEY (side, dev, ino)
) STRICT, WITHOUT ROWID;

-- What is to be done. place: for copies where the source lies on its disk, which is the order of reading; else 0.
CREATE TEMP TABLE op (
    id INTEGER PRIMARY KEY,
    action INTEGER NOT NULL, why INTEGER NOT NULL, members INTEGER NOT NULL, path BLOB NOT NULL, from_path BLOB,
    keep INTEGER NOT NULL, quarantine INTEGER NOT NULL, origin INTEGER NOT NULL, size INTEGER NOT NULL,
    place INTEGER NOT NULL
) STRICT;
CREATE INDEX temp.op_order ON op (action, place, path);
CREATE INDEX temp.op_path ON op (path);
CREATE INDEX temp.op_from ON op (from_path) WHERE from_path IS NOT NULL;

-- Looking for moved files: shared inodes of members with a path that stays, old paths on offer, new paths asking.
CREATE TEMP TABLE stay (
    side INTEGER NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL,
    PRIMARY KEY (side, dev, ino)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE gone (
    op INTEGER PRIMARY KEY, path BLOB NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL, ino INTEGER NOT NULL,
    mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, able INTEGER NOT NULL
) STRICT;
CREATE INDEX temp.gone_same ON gone (size, ino, mtime, mtime_ns);
CREATE INDEX temp.gone_time ON gone (size, mtime, mtime_ns, op);
CREATE TEMP TABLE fresh (
    path BLOB PRIMARY KEY, op INTEGER NOT NULL, why INTEGER NOT NULL, members INTEGER NOT NULL, size INTEGER NOT NULL,
    ino INTEGER NOT NULL, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files that a run which was cut off may have renamed on the members, by the paths that the ledger still knows them by;
-- and files that are held, and have another path in the source.
CREATE TEMP TABLE astray (
    ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, path BLOB NOT NULL,
    held INTEGER NOT NULL,
    PRIMARY KEY (ino, size, mtime, mtime_ns, path)
) STRICT, WITHOUT ROWID;

-- Proofs taken back before the copies that they are of are replaced, in case nothing comes of that.
CREATE TEMP TABLE doubted (
    path BLOB PRIMARY KEY, members INTEGER NOT NULL,
    a_cycle INTEGER NOT NULL, a_proven INTEGER NOT NULL, b_cycle INTEGER NOT NULL, b_proven INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists of files to read, each in the order of its disk.
CREATE TEMP TABLE job (
    list INTEGER NOT NULL, place INTEGER NOT NULL, path BLOB NOT NULL, size INTEGER NOT NULL,
    -- What the ledger has, where reading just that is a proof and changes nothing else in the ledger; else NULL.
    sha256 BLOB, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    whole INTEGER NOT NULL, -- 1: at `place` it lies in one piece; nobody has written it since the walk
    PRIMARY KEY (list, place, path)
) STRICT, WITHOUT ROWID;

-- What reading said.
CREATE TEMP TABLE evidence (
    path BLOB NOT NULL, side INTEGER NOT NULL, error INTEGER NOT NULL, changing INTEGER NOT NULL, sha256 BLOB,
    PRIMARY KEY (path, side)
) STRICT, WITHOUT ROWID;
