/*
 * A member being brought up to date: one thread per member that carries out operations in order, in batches.
 *
 * A batch: files are written under temporary names in `.twindock/staging`, their metadata set; one syncfs makes
 * them durable; each is read back from the medium and compared; then they are renamed into place, what they replace
 * having been linked into history before. The next batch's syncfs (or the flush) makes the renames durable, and only
 * then `done` is called: what is reported as done survives a power cut. A killed run leaves every path old or new.
 *
 * EIO, EROFS, ENODEV, ENXIO, ESHUTDOWN end the member: its state is "lost", every later operation fails with
 * -ESHUTDOWN at once, and the other member goes on. ENOSPC and EDQUOT end it as "full", after older history has been
 * given up: what is staged by then is still put in its place if that can be done. A file that could not be held even
 * without that history costs none of it; it fails alone with ENOSPC while there is room for others.
 *
 * Errors of single files (a name that is too long, an owner that the filesystem refuses, a copy read back different)
 * are reported for their operation alone. Extended attributes that do not fit cost nothing but themselves: the
 * operation is done, and says which. Operations take effect in the order in which they were queued; failures may be
 * reported out of order.
 *
 * A MOVE links its old path into staging when it arrives and is carried out with its batch, so moves that follow on one
 * another may swap or form chains in any order. They must come before the copies and deletions that would do away with
 * what they need. A DELETE with keep=false keeps all the same when no other name holds on to the inode: a move that has
 * failed does not become a loss.
 */
#ifndef TWINDOCK_SYNC_TARGET_H
#define TWINDOCK_SYNC_TARGET_H

#include "twindock/base/error.h"
#include "twindock/model/row.h"
#include "twindock/model/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_target;

enum td_target_state { TD_TARGET_OK, TD_TARGET_FULL, TD_TARGET_LOST };

struct td_op {
    int64_t id;
    enum td_action action;
    const char *path; /* below the collection's root; "" its root */
    const char *from; /* LINK: the leader; MOVE: the old path. Else NULL */
    const struct td_entry
        *entry;      /* the source's, NULL for DELETE. For a directory, MKDIR makes it, ATTRIBUTES finishes it */
    bool keep;       /* DELETE: into history (false: the content lives on under another path: unlink) */
    bool quarantine; /* what is replaced goes to quarantine instead of history */
    void (*reading)(void *ctx, uint64_t bytes); /* COPY: called as it is read, by the thread that reads; may be NULL */
    void *ctx;
    struct {
        bool known; /* false: whoever keeps it reads it */
        uint8_t hash[TD_HASH_LEN];
    } old[TD_SIDES]; /* the content that each member has under the path, as last proven */
};

struct td_op_done {
    enum td_side side;
    int64_t id;
    enum td_action action;
    const char *path;
    const char *from;          /* as in the operation */
    bool kept;                 /* DELETE: `keep` as in the operation */
    int error;                 /* 0, or errno; ESHUTDOWN: the member is gone */
    const char *text;          /* what failed; NULL when error is 0, or when the origin of a COPY could not be read */
    uint8_t hash[TD_HASH_LEN]; /* COPY: of what was read back */
    uint64_t bytes;            /* COPY: written */
    bool idle;                 /* ATTRIBUTES: there was nothing to change, or nothing that could be */
    const char *left_out;      /* which extended attributes did not fit; NULL: all did. It is done all the same */
    const char *off_time;      /* what has become of a time that the member cannot keep; NULL: it has kept it */
    const struct td_kept_item *items; /* what has been put into history; NULL: nothing. Valid during the call */
};

/* A chain of things kept; their texts and themselves are malloc'ed. */
struct td_kept_item {
    struct td_kept_item *next;
    struct td_version version; /* without its run */
};
struct td_kept_item *td_kept_item_new(const struct td_version *version); /* copies the texts; ends without memory */
void td_kept_items_free(struct td_kept_item *items);

struct td_target_options {
    enum td_side side;
    int collection;       /* fd of the collection's root on the member; the caller's, outlives the target */
    int store;            /* fd of the member's .twindock directory */
    int source;           /* fd of the source's root: xattrs are taken from there */
    const char *history;  /* name of this run's directory below history/ and quarantine/; NULL: keep nothing (sync) */
    size_t batch_files;   /* 0: 1024 */
    uint64_t batch_bytes; /* 0: 256 MiB */
    size_t queue_bytes;   /* data that may wait for this member; 0: 64 MiB */
    uint64_t reserve;     /* bytes to keep free by giving up older history */
    void (*done)(void *ctx, const struct td_op_done *done); /* from the target's thread */
    void *ctx;
};

/* Opens staging/ (made if missing). Does not sweep it: see td_staging_sweep. */
int td_target_start(const struct td_target_options *options, struct td_target **out, struct td_error *err);
/* Queue an operation other than COPY (everything it points to is copied). Blocks while the queue is full. */
void td_target_submit(struct td_target *target, const struct td_op *op);
/* Everything queued so far: carried out, durable, reported. Blocks until then. */
void td_target_flush(struct td_target *target);
enum td_target_state td_target_state(struct td_target *target);
/* Why it is not TD_TARGET_OK; "" otherwise. Valid until stop. */
const char *td_target_reason(struct td_target *target);
uint64_t td_target_bytes(struct td_target *target); /* written so far, for progress */
/* What older history was given up to make room; to be asked after a flush. */
void td_target_given_up(struct td_target *target, uint64_t *files, uint64_t *bytes);
/* Ends the thread (cancel: drops what is queued, removes its temporary files) and frees it. */
void td_target_stop(struct td_target *target, bool cancel);

/*
 * COPY: read `op->path` below `root` once and give it to all `targets` (1 or 2). `root` is the source, or the other
 * member's collection for a repair from there; op->entry describes what is expected. A file that changes while it is
 * read is tried 3 times; then every target reports EAGAIN for the op. A failure to read is reported with its errno and
 * TD_COPY_UNREADABLE returned (ESHUTDOWN: no target is left); the members keep what they have. *read describes what was
 * read. `root` must stay open until the targets have been flushed: extended attributes are taken from there later.
 */
enum td_copy_status { TD_COPY_READ, TD_COPY_UNREADABLE, TD_COPY_CHANGING, TD_COPY_MISMATCH };
struct td_copy_read {
    int error;
    uint8_t hash[TD_HASH_LEN];
    struct td_entry entry; /* size, times, ids as of the reading; path and target NULL */
};
/* `expect`: when not NULL, content with another hash is not placed (TD_COPY_MISMATCH). */
enum td_copy_status td_target_copy(struct td_target *const *targets, int count, int root, const struct td_op *op,
                                   const uint8_t *expect, struct td_copy_read *read);

/* Remove what an interrupted run left in staging (swapped-out old versions go to history/recovered). Counts removed. */
int td_staging_sweep(int store, uint64_t *removed, struct td_error *err);

#endif
