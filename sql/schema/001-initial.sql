-- The ledger of twindock, a mirror-backup program for pairs of disks.
--
-- To whoever opens this with sqlite3 in ten years: begin with the views. `SELECT * FROM backups` shows every pair of
-- disks and when it was last backed up, `SELECT * FROM runs` what every run did, `SELECT * FROM files` every file with
-- its SHA-256 and when each disk's copy was last read and found right. The disks themselves are plain ext4 and need
-- none of this.
--
-- Times are seconds since 1970-01-01 00:00 UTC; file times have nanoseconds in a column of their own. 0 means "never"
-- where a time is expected. Unsigned 64-bit numbers (inodes, device numbers) are stored with the same bits as signed
-- ones. Paths are bytes, not text: relative to the collection's directory, in the order of their bytes; the empty path
-- is the directory itself.
PRAGMA application_id = 1415005259; -- "TWDK"
PRAGMA user_version = 1;            -- the number of the newest script in sql/schema

-- Two disks that hold the same collection. Their filesystems share one UUID.
CREATE TABLE pair (
    id           INTEGER PRIMARY KEY,
    uuid         TEXT    NOT NULL,
    collection   TEXT    NOT NULL,
    layout       TEXT    NOT NULL CHECK (layout IN ('twins', 'mirrored')),
    generation   INTEGER NOT NULL,            -- raised by every run that writes; known to be on a member's card
    intent       INTEGER NOT NULL,            -- the highest that may be on a card: noted before a card is raised
    cycle        INTEGER NOT NULL DEFAULT 0,  -- run that began the round of proving now open; 0: none is open
    differs      INTEGER NOT NULL DEFAULT 0,  -- mirrored: run that found the halves different; 0: none since they were equal
    used         INTEGER NOT NULL DEFAULT 0,  -- bytes on the fuller member
    free         INTEGER NOT NULL DEFAULT 0,
    enrolled     INTEGER NOT NULL,
    retired      INTEGER,                     -- NULL: in use
    -- What the table "file" sums up to, so that a glance need not read it all. NULL while it has changed since.
    files        INTEGER,
    oldest_proof INTEGER
) STRICT;
CREATE UNIQUE INDEX pair_collection ON pair (collection) WHERE retired IS NULL;
CREATE UNIQUE INDEX pair_uuid ON pair (uuid) WHERE retired IS NULL;

-- One disk of a pair.
CREATE TABLE member (
    id          INTEGER PRIMARY KEY,
    pair        INTEGER NOT NULL REFERENCES pair (id),
    letter      TEXT    NOT NULL CHECK (letter IN ('A', 'B')),
    token       TEXT    NOT NULL,             -- random, also on the disk's card
    identity    TEXT    NOT NULL,             -- who told serial and WWN: ata, nvme, scsi, bridge, sysfs, udev; card: nobody
    serial      TEXT    NOT NULL,
    wwn         TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    size        INTEGER NOT NULL,             -- bytes of the device
    generation  INTEGER NOT NULL,             -- on its card when it was last seen
    last_proven INTEGER NOT NULL DEFAULT 0,   -- the oldest proof of a copy in its last full proof
    state       TEXT    NOT NULL DEFAULT '',  -- after the last run: ok, unproven, lost, full, absent; unseen: written by
                                              -- the dock alone, in mirror mode
    given_up    INTEGER NOT NULL DEFAULT 0,   -- what its history had of runs up to this one is gone
    enrolled    INTEGER NOT NULL,
    retired     INTEGER,
    -- The copy of the ledger on this disk: a digest of the files' rows in it, proofs apart, and its own SHA-256.
    copy_rows   BLOB,
    copy_sha256 BLOB
) STRICT;
CREATE UNIQUE INDEX member_letter ON member (pair, letter) WHERE retired IS NULL;

-- What was done, when, and how it ended. Numbers are never used twice: they order the runs.
CREATE TABLE run (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    pair           INTEGER REFERENCES pair (id), -- NULL: refused before it was clear which
    collection     TEXT    NOT NULL,
    uuid           TEXT    NOT NULL,
    dock           TEXT    NOT NULL,
    command        TEXT    NOT NULL,
    host           TEXT    NOT NULL,
    started        INTEGER NOT NULL,
    ended          INTEGER,                      -- NULL: running, or cut off and not yet noticed
    verdict        TEXT    NOT NULL,
    result         TEXT    NOT NULL,             -- running, done, done-unproven, refused, failed, interrupted
    exit           INTEGER NOT NULL DEFAULT 0,
    reason         TEXT,                         -- one sentence for a person
    files          INTEGER NOT NULL DEFAULT 0,   -- in the source, and their bytes
    bytes          INTEGER NOT NULL DEFAULT 0,
    copied         INTEGER NOT NULL DEFAULT 0,
    copied_bytes   INTEGER NOT NULL DEFAULT 0,
    renamed        INTEGER NOT NULL DEFAULT 0,
    deleted        INTEGER NOT NULL DEFAULT 0,
    updated        INTEGER NOT NULL DEFAULT 0,   -- attributes alone
    proven         INTEGER NOT NULL DEFAULT 0,   -- copies read back and compared, over all members
    proven_bytes   INTEGER NOT NULL DEFAULT 0,
    unproven       INTEGER NOT NULL DEFAULT 0,   -- copies whose proof was left for the next run
    held           INTEGER NOT NULL DEFAULT 0,
    repaired       INTEGER NOT NULL DEFAULT 0,
    unreadable     INTEGER NOT NULL DEFAULT 0,
    noted          INTEGER NOT NULL DEFAULT 0,
    state_source   TEXT    NOT NULL DEFAULT '',
    state_a        TEXT    NOT NULL DEFAULT '',
    state_b        TEXT    NOT NULL DEFAULT '',
    after_interrupted INTEGER NOT NULL DEFAULT 0, -- the run before this one was cut off
    event          TEXT,                         -- what was found, as a hash: equal when it is the same again; '': all is well
    safe           TEXT,                         -- what was said of taking the disks out
    disks          TEXT,                         -- of which disks: "A 8:16/12 B 8:32/13", device numbers and disk sequence
    accepted       TEXT,                         -- who let it go on although the brake was on, and what the brake said
    -- While it runs: which process it is, to tell a living run from a dead one, and how far it has come.
    pid            INTEGER NOT NULL,
    pid_start      INTEGER NOT NULL,             -- field 22 of /proc/PID/stat
    boot           TEXT    NOT NULL,             -- /proc/sys/kernel/random/boot_id
    phase          TEXT    NOT NULL DEFAULT '',
    phase_since    INTEGER NOT NULL DEFAULT 0,
    work_done      INTEGER NOT NULL DEFAULT 0,   -- bytes
    work_all       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_pair ON run (pair, id);

-- What a run found wrong, file by file.
CREATE TABLE incident (
    id     INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL REFERENCES run (id),
    kind   TEXT    NOT NULL,  -- held, repaired, unreadable, noted
    cause  TEXT    NOT NULL,  -- source-rot, backup-rot, ...
    path   BLOB    NOT NULL,
    member TEXT    NOT NULL,  -- A, B, or empty for the source
    detail TEXT
) STRICT;
CREATE INDEX incident_run ON incident (run, path, id);

-- Bad copies that a run has found and set out to repair, until a run that came to its end has told of them: what becomes
-- of them shows nowhere else when the run is cut off.
CREATE TABLE repair (
    pair   INTEGER NOT NULL REFERENCES pair (id),
    path   BLOB    NOT NULL,
    member TEXT    NOT NULL,           -- A, B
    place  BLOB    NOT NULL,           -- of a version in history, as in "kept"; empty: the copy in the collection
    cause  TEXT    NOT NULL,
    detail TEXT,
    run    INTEGER NOT NULL,           -- that has it among its incidents; 0: it is not known to be done
    PRIMARY KEY (pair, path, member, place)
) STRICT, WITHOUT ROWID;

-- Mails: one for each event. What the mailer did not take is kept and tried again.
CREATE TABLE mail (
    id      INTEGER PRIMARY KEY,
    run     INTEGER REFERENCES run (id), -- NULL: about no run
    event   TEXT    NOT NULL,            -- the run's, or "overdue"
    at      INTEGER NOT NULL,
    subject TEXT    NOT NULL,
    message TEXT,                        -- headers and body, until the mailer has taken it or it is too old
    claimed INTEGER NOT NULL DEFAULT 0,  -- when a process began to hand it over; 0: nobody is at it
    error   TEXT                         -- NULL: the mailer has taken it
) STRICT;
CREATE INDEX mail_run ON mail (run, id);
CREATE INDEX mail_kept ON mail (id) WHERE message IS NOT NULL;

-- Every path of a collection: the source as it was when it was last believed, and when each copy was last proven.
CREATE TABLE file (
    pair          INTEGER NOT NULL REFERENCES pair (id),
    path          BLOB    NOT NULL,
    dev           INTEGER NOT NULL,            -- on the source; 0: that of its root
    ino           INTEGER NOT NULL,
    mode          INTEGER NOT NULL,            -- type and permission bits, as in stat(2)
    uid           INTEGER NOT NULL,
    gid           INTEGER NOT NULL,
    nlink         INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    blocks        INTEGER NOT NULL,            -- of 512 bytes
    mtime         INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    ctime         INTEGER NOT NULL,
    ctime_ns      INTEGER NOT NULL,
    rdev          INTEGER NOT NULL,
    target        BLOB,                        -- symlinks: where they point
    xattrs        BLOB,                        -- SHA-256 over the extended attributes; NULL: none
    sha256        BLOB CHECK (length(sha256) = 32), -- regular files whose content is known
    held          INTEGER NOT NULL DEFAULT 0,  -- 1: the source has rotted, the disks' copies are the good ones;
                                               -- 2: somebody accepted what the source holds, and it is still to be copied
    source_cycle  INTEGER NOT NULL DEFAULT 0,  -- round of proving (a run's number) in which it was last read and right
    source_proven INTEGER NOT NULL DEFAULT 0,  -- and the time of that
    a_cycle       INTEGER NOT NULL DEFAULT 0,
    a_proven      INTEGER NOT NULL DEFAULT 0,
    b_cycle       INTEGER NOT NULL DEFAULT 0,
    b_proven      INTEGER NOT NULL DEFAULT 0,
    since         INTEGER NOT NULL DEFAULT 0,  -- the run that found it so
    had           INTEGER NOT NULL DEFAULT 0,  -- members that ever had this content: 2: A, 4: B, 6: both;
                                               -- 32: A, 64: B: its copy was last found bad and not proven since
    PRIMARY KEY (pair, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_held ON file (pair, path) WHERE held = 1;

-- Proofs that the rows of "file" do not show yet. A disk gives its files in an order that has nothing to do with their
-- names, so they are noted one after another, and entered into "file" in the order of paths, all at once: at the end of
-- the proof, or by the next run when one was cut off. A proof is of content, and holds for no other.
CREATE TABLE proof (
    id     INTEGER PRIMARY KEY,
    pair   INTEGER NOT NULL REFERENCES pair (id),
    side   INTEGER NOT NULL CHECK (side BETWEEN 0 AND 2), -- 0 the source, 1 member A, 2 member B
    path   BLOB    NOT NULL,
    sha256 BLOB    NOT NULL,                              -- what was read
    cycle  INTEGER NOT NULL,
    proven INTEGER NOT NULL
) STRICT;

-- What a path was before: from run "since" on, until run "until" found it otherwise. What it is now is in "file". The
-- tree as run R left it is what has since <= R, and no "until" or a later one.
CREATE TABLE version (
    pair     INTEGER NOT NULL REFERENCES pair (id),
    path     BLOB    NOT NULL,
    until    INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    dev      INTEGER NOT NULL,
    ino      INTEGER NOT NULL,
    mode     INTEGER NOT NULL,
    uid      INTEGER NOT NULL,
    gid      INTEGER NOT NULL,
    nlink    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    blocks   INTEGER NOT NULL,
    mtime    INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    rdev     INTEGER NOT NULL,
    target   BLOB,
    xattrs   BLOB,
    sha256   BLOB CHECK (length(sha256) = 32),
    PRIMARY KEY (pair, path, until)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_until ON version (pair, until);
CREATE INDEX version_content ON version (pair, sha256);

-- What each member keeps of it below .twindock/history/. A content is found by its SHA-256, be it here or in "file";
-- a delta makes it from the content "base".
CREATE TABLE kept (
    pair        INTEGER NOT NULL REFERENCES pair (id),
    member      INTEGER NOT NULL CHECK (member IN (1, 2)), -- A, B
    place       BLOB    NOT NULL,             -- below .twindock/history/
    run         INTEGER NOT NULL,             -- that put it there
    kind        TEXT    NOT NULL CHECK (kind IN ('whole', 'delta', 'directory', 'attributes')),
    path        BLOB    NOT NULL,             -- that it had in the collection
    mode        INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    gid         INTEGER NOT NULL,
    size        INTEGER NOT NULL,             -- of the version
    mtime       INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    xattrs      BLOB,
    sha256      BLOB CHECK (length(sha256) = 32),
    base        BLOB CHECK (length(base) = 32),
    stored      BLOB CHECK (length(stored) = 32), -- SHA-256 of what lies there, the delta's own for a delta
    stored_size INTEGER NOT NULL,
    cycle       INTEGER NOT NULL DEFAULT 0,   -- round of proving in which it was last read and right
    proven      INTEGER NOT NULL DEFAULT 0,   -- and the time of that
    lost        INTEGER NOT NULL DEFAULT 0,   -- 1: its bytes are damaged
    PRIMARY KEY (pair, member, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_content ON kept (pair, sha256);
CREATE INDEX kept_run ON kept (pair, member, run);

-- Directories of a member's history that agree with "kept". One that is not here was left by a run that was cut off.
CREATE TABLE settled (
    pair   INTEGER NOT NULL REFERENCES pair (id),
    member INTEGER NOT NULL CHECK (member IN (1, 2)),
    name   TEXT    NOT NULL,
    run    INTEGER NOT NULL,
    PRIMARY KEY (pair, member, name)
) STRICT, WITHOUT ROWID;

-- Restore drills.
CREATE TABLE drill (
    id      INTEGER PRIMARY KEY,
    pair    INTEGER NOT NULL REFERENCES pair (id),
    at      INTEGER NOT NULL,
    files   INTEGER NOT NULL,  -- files and versions brought back
    bytes   INTEGER NOT NULL,
    failed  INTEGER NOT NULL
) STRICT;
CREATE INDEX drill_pair ON drill (pair, at);

-- For people. Times are local; a path whose bytes are not UTF-8 shows as well as it can, path_hex has it exactly.
CREATE VIEW files AS
SELECT p.collection,
       CAST(f.path AS TEXT) AS path,
       f.size,
       datetime(f.mtime, 'unixepoch', 'localtime') AS modified,
       lower(hex(f.sha256)) AS sha256,
       iif(f.source_proven, datetime(f.source_proven, 'unixepoch', 'localtime'), 'never') AS source_proven,
       iif(f.a_proven, datetime(f.a_proven, 'unixepoch', 'localtime'), 'never') AS a_proven,
       iif(f.b_proven, datetime(f.b_proven, 'unixepoch', 'localtime'), 'never') AS b_proven,
       f.held = 1 AS held,
       lower(hex(f.path)) AS path_hex
  FROM file f JOIN pair p ON p.id = f.pair
 WHERE f.mode & 61440 = 32768;

CREATE VIEW runs AS
SELECT id, collection, command,
       datetime(started, 'unixepoch', 'localtime') AS started,
       datetime(ended, 'unixepoch', 'localtime') AS ended,
       verdict, result, exit, reason, accepted, files, bytes, copied, renamed, deleted, proven, unproven, held,
       repaired, unreadable, state_a, state_b, uuid
  FROM run;

CREATE VIEW incidents AS
SELECT i.run, r.collection, i.kind, i.cause, iif(i.member = '', 'source', i.member) AS disk,
       CAST(i.path AS TEXT) AS path, i.detail,
       datetime(r.started, 'unixepoch', 'localtime') AS run_started
  FROM incident i JOIN run r ON r.id = i.run;

CREATE VIEW backups AS
SELECT p.collection, p.uuid, p.layout, p.generation,
       (SELECT datetime(max(started), 'unixepoch', 'localtime') FROM run r
         WHERE r.pair = p.id AND r.command = 'run' AND r.exit = 0 AND r.result IN ('done', 'done-unproven')
           AND r.state_a IN ('ok', 'unproven', 'unseen') AND r.state_b IN ('ok', 'unproven', 'unseen')) AS last_backup,
       a.serial AS a_serial, iif(a.last_proven, datetime(a.last_proven, 'unixepoch', 'localtime'), 'never') AS a_proven,
       b.serial AS b_serial, iif(b.last_proven, datetime(b.last_proven, 'unixepoch', 'localtime'), 'never') AS b_proven
  FROM pair p
  LEFT JOIN member a ON a.pair = p.id AND a.letter = 'A' AND a.retired IS NULL
  LEFT JOIN member b ON b.pair = p.id AND b.letter = 'B' AND b.retired IS NULL
 WHERE p.retired IS NULL;
