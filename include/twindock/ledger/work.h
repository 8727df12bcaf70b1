/*
 * The working tables of one run: what the walks found, the operations planned, the reads to do and what they said.
 * SQLite TEMP tables on the ledger's connection: they spill to a private unlinked file, so memory does not grow with
 * the tree, and vanish with the process. Not for threads: callers lock.
 * Walks and plans take no lock in the ledger; what is written here while a ledger transaction is open belongs to that
 * and is rolled back with it.
 */
#ifndef TWINDOCK_LEDGER_WORK_H
#define TWINDOCK_LEDGER_WORK_H

#include "twindock/base/error.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/row.h"

#include <stdbool.h>
#include <stdint.h>

/* Make the tables, empty. */
int td_work_start(struct td_ledger *ledger, struct td_error *err);

/* --- walks ------------------------------------------------------------------------------------------- */
int td_work_clear_side(struct td_ledger *ledger, enum td_side side, struct td_error *err);
int td_work_scan(struct td_ledger *ledger, enum td_side side, const struct td_entry *entry, struct td_error *err);
/* After all walks: work out hard link groups. */
int td_work_link(struct td_ledger *ledger, struct td_error *err);
/* Regular files (hard links counted once) and their bytes on one side. */
int td_work_totals(struct td_ledger *ledger, enum td_side side, uint64_t *files, uint64_t *bytes, struct td_error *err);
/* The scanned entry of a path. 0 or -ENOENT; texts valid until the next call. */
int td_work_entry(struct td_ledger *ledger, enum td_side side, const char *path, struct td_entry *out,
                  struct td_error *err);
/* All paths of the three walks and of the ledger's files of `pair`, merged, in path order (bytes). */
int td_work_rows(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_row *row), void *ctx,
                 struct td_error *err);

/* --- operations -------------------------------------------------------------------------------------- */
struct td_work_op {
    int64_t id;
    enum td_action action;
    enum td_why why;
    unsigned members; /* set of sides it is for */
    const char *path;
    const char *from; /* LINK, MOVE, and an ENTER of what has moved already; else NULL */
    bool keep;        /* DELETE: into history */
    bool quarantine;
    enum td_side origin; /* COPY: whose bytes */
    uint64_t size;
};
int td_work_add_op(struct td_ledger *ledger, const struct td_work_op *op, struct td_error *err);
int td_work_clear_ops(struct td_ledger *ledger, struct td_error *err);
/* Find content that only moved: COPY operations for paths new on all their members, whose size equals that of a DELETE
 * with a known hash. Called for each candidate pair; `same_file`: inode and mtime are equal too, so it may be the same
 * file renamed. A non-zero answer of `confirm` (1) takes it: the COPY becomes a MOVE from the old path for those of its
 * members that have an old copy of the ledger's size and mtime (a remaining COPY stays for others), the DELETE loses
 * `keep` there. Each old path is used once; old paths whose inode is shared with a path that stays are not offered. */
int td_work_find_moves(struct td_ledger *ledger, int64_t pair,
                       int (*confirm)(void *ctx, const char *path, const char *old_path,
                                      const uint8_t hash[TD_HASH_LEN], bool same_file),
                       void *ctx, struct td_error *err);

/* What a run that was cut off has moved on the members before the ledger knew: the source has lost the ledger's path (a
 * DELETE), and the same file of the source has a path that members have and the ledger does not know. Adds an ENTER
 * from the old path for `members`. Called before td_work_find_moves(). */
int td_work_find_astray(struct td_ledger *ledger, int64_t pair, unsigned members, struct td_error *err);
/* The other half of such a move: a member has the file by its new name, or by one that this run moves, and by the old
 * one as well. That one's DELETE loses `keep`, so that no file shares its inode with the history; *files and *bytes:
 * what is no deletion of what the ledger knows, or all docked `members` have. Called after td_work_find_moves(). */
int td_work_let_go_moved(struct td_ledger *ledger, int64_t pair, unsigned members, uint64_t *files, uint64_t *bytes,
                         struct td_error *err);

/* Held files that have replaced another in the source, or whose place another has taken: where COPY would give what has
 * rotted to the members, a MOVE takes their good copy along, and what is known of it. *any: there are such, and they
 * must be done before anything else is copied. Called after td_work_find_astray() and before td_work_find_moves(). */
int td_work_move_held(struct td_ledger *ledger, int64_t pair, bool *any, struct td_error *err);

/* Before operations are carried out: members' copies that COPY, SPECIAL, LINK, MKDIR and MOVE will replace are on
 * record as proven no longer, so that nothing is which a run that is cut off has replaced. To be committed before they
 * are begun. */
int td_work_doubt(struct td_ledger *ledger, int64_t pair, struct td_error *err);
/* An operation on this path is being carried out. */
int td_work_replaced(struct td_ledger *ledger, const char *path, struct td_error *err);
/* Those that were not begun: what they would have replaced is proven as it was. */
int td_work_undoubt(struct td_ledger *ledger, int64_t pair, struct td_error *err);

/* Cursors: open, next (1: a record, 0: the end, negative errno), close. Writing elsewhere meanwhile is allowed; records
 * stay valid until the next call. */
struct td_cursor;
void td_cursor_close(struct td_cursor *cursor);
/* One action's operations: MKDIR, MOVE, SPECIAL, LINK, ATTRIBUTES in path order, COPY in the order of the source's
 * inodes, DELETE in reverse path order. */
int td_work_ops(struct td_ledger *ledger, enum td_action action, struct td_cursor **out, struct td_error *err);
int td_work_next_op(struct td_cursor *cursor, struct td_work_op *op, struct td_error *err);
/* Operations per action: how many, and bytes. */
int td_work_op_totals(struct td_ledger *ledger, enum td_action action, uint64_t *count, uint64_t *bytes,
                      struct td_error *err);

/* --- proof ------------------------------------------------------------------------------------------- */
/* One scanned side's entries in path order: for the last pass over directories. */
int td_work_entries(struct td_ledger *ledger, enum td_side side, bool directories_only, struct td_cursor **out,
                    struct td_error *err);
int td_work_next_entry(struct td_cursor *cursor, struct td_entry *entry, struct td_error *err);

struct td_work_job {
    const char *path;
    uint64_t size;
    /* Reading `hash` in a file of these times and size is a proof, and nothing else of the ledger's entry changes. */
    bool expected;
    uint8_t hash[TD_HASH_LEN];
    struct timespec mtime, ctime; /* of the source */
    uint64_t place;
    bool whole; /* on a member: as the walk has found it, it lies there in one piece, and no operation has touched it */
};
/* Files to read on `side`: the source's regular files whose copy on this side is not proven in `cycle`; of a hard link
 * group its first path, and on a member those that are not the same inode there. In the order of their extents on that
 * disk. The list is made on open. */
int td_work_jobs(struct td_ledger *ledger, int64_t pair, enum td_side side, int64_t cycle, uint64_t *count,
                 uint64_t *bytes, struct td_cursor **out, struct td_error *err);
int td_work_next_job(struct td_cursor *cursor, struct td_work_job *job, struct td_error *err);
/* The other paths of the source's hard link group that `leader` is first of (not itself). */
int td_work_followers(struct td_ledger *ledger, const char *leader, int (*each)(void *ctx, const char *path), void *ctx,
                      struct td_error *err);

/* What reading said, where it was not simply what the ledger has. */
struct td_work_evidence {
    const char *path;
    struct {
        bool asked;
        int error;
        bool changing;
        uint8_t hash[TD_HASH_LEN];
    } side[TD_SIDES];
};
int td_work_testify(struct td_ledger *ledger, const char *path, enum td_side side, int error, bool changing,
                    const uint8_t hash[TD_HASH_LEN], struct td_error *err);
/* 0 or -ENOENT. */
int td_work_evidence(struct td_ledger *ledger, const char *path, struct td_work_evidence *out, struct td_error *err);
int td_work_drop_evidence(struct td_ledger *ledger, const char *path, struct td_error *err);
int td_work_evidences(struct td_ledger *ledger, struct td_cursor **out, struct td_error *err);
int td_work_next_evidence(struct td_cursor *cursor, struct td_work_evidence *evidence, struct td_error *err);

#endif
