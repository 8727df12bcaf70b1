/*
 * The ledger: pairs, runs, and for every file what it is and when each copy was last proven. SQLite, WAL,
 * synchronous=FULL, foreign keys on; one writer, --info opens read-only. All SQL lives in sql/.
 *
 * Functions return 0 or a negative errno: -EBUSY another writer held it for 30 s, -EPROTO a schema newer than this
 * program, -EUCLEAN a damaged file, -ENOSPC, -EIO. One connection belongs to one thread.
 */
#ifndef TWINDOCK_LEDGER_LEDGER_H
#define TWINDOCK_LEDGER_LEDGER_H

#include "twindock/base/error.h"
#include "twindock/model/outcome.h"
#include "twindock/model/pair.h"
#include "twindock/model/row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_ledger;

/* Open, create (mode 0600, its directory 0700 too) and migrate. NULL path: a temporary one, gone on close, with the
 * same schema (for `sync`). */
int td_ledger_open(const char *path, struct td_ledger **out, struct td_error *err);
/* Read-only; -ENOENT when it does not exist yet. Writes nothing, runs no migration. */
int td_ledger_open_reader(const char *path, struct td_ledger **out, struct td_error *err);
void td_ledger_close(struct td_ledger *ledger);
/* How long to wait for another writer before -EBUSY, instead of 30 s. */
void td_ledger_patience(struct td_ledger *ledger, int milliseconds);

/* Transactions. Functions that write open one of their own when none is open. Nested begins are counted. */
int td_ledger_begin(struct td_ledger *ledger, struct td_error *err);
int td_ledger_commit(struct td_ledger *ledger, struct td_error *err);
void td_ledger_rollback(struct td_ledger *ledger);

/* --- pairs ------------------------------------------------------------------------------------------ */
/* All pairs that are not retired, in an array to free(). Members without a letter are not enrolled. */
int td_ledger_pairs(struct td_ledger *ledger, struct td_pair **out, size_t *count, struct td_error *err);
/* Enter a pair with its members; fills in ids. -EEXIST: the collection or the UUID is enrolled already. */
int td_ledger_add_pair(struct td_ledger *ledger, struct td_pair *pair, struct td_error *err);
/* Forget a pair, or one member of it: it is not enrolled any more. Its runs, files and proofs stay in the ledger.
 * -ENOENT when it was not enrolled. */
int td_ledger_retire_pair(struct td_ledger *ledger, int64_t pair, struct td_error *err);
int td_ledger_retire_member(struct td_ledger *ledger, int64_t pair, int64_t member, struct td_error *err);
/* A new disk takes the place of member `old` (0: it was retired before), which is retired. Nothing of what was proven
 * of the old one holds for it, and nothing of what that kept is on it. Fills in member->id. */
int td_ledger_replace_member(struct td_ledger *ledger, int64_t pair, int64_t old, struct td_member *member,
                             struct td_error *err);
/* Before any card is raised: no member will have a generation above `intent`. */
int td_ledger_intend(struct td_ledger *ledger, int64_t pair, int64_t intent, struct td_error *err);
/* A member's card has `generation` now. Raises the pair's too. */
int td_ledger_confirm(struct td_ledger *ledger, int64_t pair, int64_t member, int64_t generation, struct td_error *err);
/* 0 closes the cycle. */
int td_ledger_set_cycle(struct td_ledger *ledger, int64_t pair, int64_t cycle, struct td_error *err);
/* Mirrored: this run found the halves different; 0: they are the same (again). */
int td_ledger_set_differs(struct td_ledger *ledger, int64_t pair, int64_t run, struct td_error *err);
/* A member's drive, where it was not known before. */
int td_ledger_learn_drive(struct td_ledger *ledger, int64_t member, const struct td_identity *identity, uint64_t size,
                          struct td_error *err);
/* State after a run; proven_at 0 leaves the last full proof as it was, else it becomes the oldest proof among the
 * member's copies (proven_at itself where there are none). */
int td_ledger_member_state(struct td_ledger *ledger, int64_t member, const char *state, int64_t proven_at,
                           struct td_error *err);
/* Bytes used and free on the fuller member, for --info. */
int td_ledger_space(struct td_ledger *ledger, int64_t pair, uint64_t used, uint64_t free, struct td_error *err);

/* --- runs ------------------------------------------------------------------------------------------- */
/* Enter a run as running (with this process's id, start time and boot id, so that others can tell whether it lives);
 * fills run->id, which is higher than any in the ledger, and than what run->id was before (from the members' cards:
 * the ledger may be younger or older than they are; not believed from 10^12 up). */
int td_ledger_run_begin(struct td_ledger *ledger, struct td_run *run, struct td_error *err);
/* When a run began. -ENOENT: the ledger has no such run. */
int td_ledger_run_started(struct td_ledger *ledger, int64_t run, int64_t *started, struct td_error *err);
/* What is older than `keep` seconds in run `run` of a pair, whatever single clocks said: all its runs up to *last, and
 * other things from before *before (wall seconds). 0: nothing is. */
int td_ledger_expired(struct td_ledger *ledger, int64_t pair, int64_t run, int64_t keep, int64_t *last, int64_t *before,
                      struct td_error *err);
int td_ledger_run_end(struct td_ledger *ledger, const struct td_run *run, struct td_error *err);
/* Somebody let the run go on although the brake was on: who, and what the brake said. */
int td_ledger_run_accepted(struct td_ledger *ledger, int64_t run, const char *text, struct td_error *err);
/* What a running one is doing: a phase's name and its work done and in all (bytes), 0 in all: unknown. */
int td_ledger_run_progress(struct td_ledger *ledger, int64_t run, const char *phase, uint64_t done, uint64_t all,
                           struct td_error *err);
/* Mark runs of this pair that never ended and whose process is gone as interrupted; *count of them. */
int td_ledger_run_interrupted(struct td_ledger *ledger, int64_t pair, int *count, struct td_error *err);
int td_ledger_incident(struct td_ledger *ledger, int64_t run, const struct td_incident *incident, struct td_error *err);
/* The incidents of a run in path order. */
int td_ledger_incidents(struct td_ledger *ledger, int64_t run,
                        int (*each)(void *ctx, const struct td_incident *incident), void *ctx, struct td_error *err);
/*
 * Repairs outlive the run that is cut off: a bad copy that a run sets out to repair is noted with run 0, and with the
 * run once it is done and stands among its incidents; one that failed is dropped again. td_ledger_run_end() drops those
 * of the run. What is left is a later run's to tell: td_ledger_repairs_left() gives what earlier runs had done, and
 * what was in its place already, as proven in round `cycle`, and drops it; `each` enters it as its own. `place`: of a
 * version in history, NULL: the copy in the collection.
 */
int td_ledger_repair(struct td_ledger *ledger, int64_t pair, const struct td_incident *incident, const char *place,
                     int64_t run, struct td_error *err);
int td_ledger_repair_failed(struct td_ledger *ledger, int64_t pair, const struct td_incident *incident,
                            const char *place, struct td_error *err);
int td_ledger_repairs_left(struct td_ledger *ledger, int64_t pair, int64_t run, int64_t cycle,
                           int (*each)(void *ctx, const struct td_incident *incident), void *ctx, struct td_error *err);
/* What was found, as a hash that is equal when the same is found again; "": all is well. See ledger/mails.h. */
int td_ledger_run_event(struct td_ledger *ledger, int64_t run, const char *event, struct td_error *err);
/* What was said of taking the disks out, and of which disks ("A 8:16/12 B 8:32/13": device numbers, disk sequence). */
int td_ledger_run_safe(struct td_ledger *ledger, int64_t run, const char *safe, const char *disks,
                       struct td_error *err);

/* --- the table of --info ------------------------------------------------------------------------------ */
struct td_info_fact {
    struct td_pair pair;
    int64_t last_backup; /* start of the last run that counts as a backup, 0: never */
    int64_t enrolled;    /* wall seconds */
    uint64_t used, free; /* bytes; 0, 0: unknown */
    bool running;        /* a living process is at it */
    char phase[32];
    uint64_t done, all;
    int64_t phase_since; /* wall seconds */
    char safe[256];      /* what the newest run, ended in this boot, said of taking the disks out; "" */
    char disks[128];     /* and of which, as td_ledger_run_safe was told */
    bool interrupted;    /* the last run was cut off: stopped, or it never ended and its process is gone */
    struct td_run last; /* the run that its state rests on: see last_run.sql; id 0: none. Texts valid during the call */
    int64_t oldest_proof; /* of any copy in the ledger, 0: some copy was never proven */
    uint64_t files;
};
int td_ledger_info(struct td_ledger *ledger, int (*each)(void *ctx, const struct td_info_fact *fact), void *ctx,
                   struct td_error *err);

/* --- files ------------------------------------------------------------------------------------------ */
/* 0 or -ENOENT. The file's texts stay valid until the next call of this function. */
int td_ledger_file(struct td_ledger *ledger, int64_t pair, const char *path, struct td_file *out, struct td_error *err);
/* Enter or replace. All fields are stored. */
int td_ledger_put_file(struct td_ledger *ledger, int64_t pair, const struct td_file *file, struct td_error *err);
int td_ledger_drop_file(struct td_ledger *ledger, int64_t pair, const char *path, struct td_error *err);
/* One side's copy has been read from the medium and equals the ledger's hash. -ENOENT when the path is not in the
 * ledger. */
int td_ledger_prove(struct td_ledger *ledger, int64_t pair, const char *path, enum td_side side, int64_t cycle,
                    int64_t when, struct td_error *err);
/* The halves of a mirrored pair have been compared and are the same: what one copy was proven to be, both are. */
int td_ledger_share_proofs(struct td_ledger *ledger, int64_t pair, struct td_error *err);
/* The same, noted for now: it shows in the file's row after td_ledger_enter_proofs(), if the ledger has this hash for
 * the path then. For proofs by the million that come in no order of paths. */
int td_ledger_note_proof(struct td_ledger *ledger, int64_t pair, const char *path, enum td_side side,
                         const uint8_t hash[TD_HASH_LEN], int64_t cycle, int64_t when, struct td_error *err);
/* Enter what was noted, in this run or in one that was cut off. Not within a transaction. */
int td_ledger_enter_proofs(struct td_ledger *ledger, int64_t pair, struct td_error *err);
/* What was proven of a member was proven of another state of its disk: all of it is to be proven anew. */
int td_ledger_forget_proofs(struct td_ledger *ledger, int64_t pair, enum td_side side, struct td_error *err);
int td_ledger_hold(struct td_ledger *ledger, int64_t pair, const char *path, bool held, struct td_error *err);
/* The files that are held, in path order; those of the source that had this inode when they were last entered. `each`
 * must not write to the ledger; a file is valid during the call. */
int td_ledger_held(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_file *file),
                   void *ctx, struct td_error *err);
int td_ledger_names(struct td_ledger *ledger, int64_t pair, uint64_t ino,
                    int (*each)(void *ctx, const struct td_file *file), void *ctx, struct td_error *err);
/* Regular files with a hash and their bytes. */
int td_ledger_totals(struct td_ledger *ledger, int64_t pair, uint64_t *files, uint64_t *bytes, struct td_error *err);
/* Copies (over A and B of `members`) not proven in `cycle`, and their bytes. */
int td_ledger_unproven(struct td_ledger *ledger, int64_t pair, unsigned members, int64_t cycle, uint64_t *copies,
                       uint64_t *bytes, struct td_error *err);
/* The device of the source's root. A filesystem may have another number whenever it is mounted, so what lies on this
 * one is entered with 0 from now on, in the working tables as well. */
void td_ledger_source(struct td_ledger *ledger, uint64_t dev);
/* What was entered with the number that it had once. */
int td_ledger_forget_device(struct td_ledger *ledger, int64_t pair, struct td_error *err);
/* Every file of a pair in path order. */
int td_ledger_files(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_file *file),
                    void *ctx, struct td_error *err);
/* A new database at `file` (must not exist: -EEXIST) with this pair's part alone: for the copy on the members. One
 * plain file, nothing beside it, gone again on failure. Not within a transaction. `file` is a path on the machine:
 * SQLite resolves it by name, so a detached mount cannot be reached through /proc/self/fd. `run`: the one that copies,
 * with its result as far as it is known; in the copy it has ended, so that the copy can be a ledger. May be NULL. */
int td_ledger_export(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *file,
                     struct td_error *err);
/* The same for a file that td_ledger_export() has made, when no file's row has changed since, proofs apart: all but the
 * rows of files is made new. These keep the proofs they were copied with. The file must be one of ours, byte for byte.
 */
int td_ledger_export_renew(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *file,
                           struct td_error *err);

/* The copy that a member has. */
struct td_copy_state {
    bool known;                  /* false: none, or it is not known which */
    uint8_t rows[TD_HASH_LEN];   /* digest of the files' rows, proofs apart: the caller's */
    uint8_t sha256[TD_HASH_LEN]; /* of the file */
};
int td_ledger_copy_state(struct td_ledger *ledger, int64_t member, struct td_copy_state *out, struct td_error *err);
int td_ledger_copied(struct td_ledger *ledger, int64_t member, const struct td_copy_state *state, struct td_error *err);

#endif
