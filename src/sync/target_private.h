/*
 * What the parts of a target share. One worker thread per target owns everything in struct td_target except
 * what stands between `lock` and `worker` below: the queue, the state and the counters that others may ask for.
 *
 *   target.c         the public calls and the worker thread
 *   target_queue.c   packets, the data they carry, and the queue that bounds them
 *   target_batch.c   staging what arrives; at the end of a batch: durable, read back, placed, reported
 *   target_verify.c  reading back
 *   target_place.c   one operation carried out on the member's tree
 *   target_keep.c    what is replaced or deleted goes into history or quarantine
 *   target_version.c what was kept, described for the ledger; holders of extended attributes
 *   target_delta.c   old versions as differences
 *   target_room.c    full and lost members; giving up history to make room
 *   target_spare.c   how much room that could make
 *   target_failed.c  the paths whose new content did not come to be
 *   staging.c        names in staging/, what is made there, and the sweep
 *   copy.c           the reading side of a copy
 *   remove_tree.c    removal of whole trees
 */
#ifndef TWINDOCK_SYNC_TARGET_PRIVATE_H
#define TWINDOCK_SYNC_TARGET_PRIVATE_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/platform/delta.h"
#include "twindock/sync/history.h"
#include "twindock/sync/target.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define TD_STAGING "staging"
#define TD_HISTORY "history"
#define TD_QUARANTINE "quarantine"
#define TD_RECOVERED TD_HISTORY_RECOVERED
#define TD_DELTAS ".deltas"
#define TD_HOLDERS ".attributes"
#define TD_DELTA_SUFFIX ".rdiff"
#define TD_STAGED_NAME_MAX 32

/* File data on its way to one or two members; freed by the last of them. */
struct td_piece {
    atomic_int refs;
    size_t len;
    void *data; /* free() */
};

/* Takes `data` over; one reference. NULL when out of memory (data is freed then). */
struct td_piece *td_piece_new(void *data, size_t len);
struct td_piece *td_piece_ref(struct td_piece *piece);
void td_piece_drop(struct td_piece *piece);

/* An operation on its way through a target. */
struct td_task {
    struct td_task *next;
    struct td_op op;       /* its pointers lead to memory of this task */
    struct td_entry entry; /* what op.entry leads to; of a COPY: as of the reading */
    int root;              /* below which the extended attributes are found under op.path */
    int fd;                /* COPY: while it is being written; else -1 */
    uint64_t number;       /* of its name in staging; 0: nothing of it is there */
    uint64_t size;         /* COPY: of the file, holes included */
    uint64_t written;      /* COPY: bytes of data */
    uint64_t end;          /* COPY: just behind the last byte written */
    uint64_t sent;         /* COPY: up to here the kernel has been asked to begin to write it out */
    uint8_t hash[TD_HASH_LEN];
    int error; /* 0 or errno */
    char *text;
    bool idle;                  /* ATTRIBUTES: nothing was changed */
    char *left_out, *off_time;  /* as in td_op_done */
    struct td_kept_item *items; /* what was kept for it */
    struct td_old_delta *delta; /* COPY: the old version as a difference, made before it is placed; NULL: none */
};

/* A copy of everything that `op` leads to. Ends the program when there is no memory for so little. */
struct td_task *td_task_new(const struct td_op *op, int root);
void td_task_free(struct td_task *task);
/* The first failure counts. `text` is copied. */
void td_task_fail(struct td_task *task, int errnum, const char *text);

struct td_task_list {
    struct td_task *head, **tail; /* tail NULL: empty, never used */
    size_t count;
};
void td_task_push(struct td_task_list *list, struct td_task *task);
struct td_task *td_task_pop(struct td_task_list *list); /* NULL: empty */

enum td_packet_kind {
    TD_PACKET_OP,      /* task: anything but a COPY */
    TD_PACKET_BEGIN,   /* task: a COPY; size, need */
    TD_PACKET_DATA,    /* piece, offset */
    TD_PACKET_END,     /* read: what has been read, whole and unchanged */
    TD_PACKET_RESTART, /* what came since BEGIN is void; another BEGIN follows */
    TD_PACKET_FAIL,    /* task with its error: the COPY ends with it; what came since BEGIN is void */
    TD_PACKET_FLUSH    /* ticket */
};

struct td_packet {
    struct td_packet *next;
    enum td_packet_kind kind;
    struct td_task *task;
    struct td_piece *piece;
    struct td_copy_read *read;
    uint64_t offset, size, ticket;
    uint64_t need; /* bytes of the size that are no holes */
    size_t cost;   /* bytes that it counts for in the queue */
};

struct td_packet *td_packet_new(enum td_packet_kind kind);
void td_packet_free(struct td_packet *packet);

/* A path whose new content did not come to be. */
struct td_failed {
    struct td_failed *next;
    uint64_t hash;
    char path[];
};

struct td_failed_set {
    struct td_failed **bucket;
    size_t size, count;
};

struct td_target {
    struct td_target_options options;

    pthread_mutex_t lock;
    pthread_cond_t wake;  /* something came into the queue, or the end */
    pthread_cond_t moved; /* something left the queue, a flush is done, or the state changed */
    struct td_packet *first, **last;
    size_t queued;           /* sum of the costs */
    uint64_t asked, flushed; /* tickets of flushes */
    bool ending;
    enum td_target_state state;
    uint64_t bytes;

    atomic_bool cancel;
    pthread_t worker;

    /* The worker's own. */
    char reason[TD_ERROR_TEXT]; /* written once, before `state` leaves TD_TARGET_OK */
    int staging;
    int keep[2];                /* history/<run> and quarantine/<run>; -1 until needed */
    uint64_t number;            /* the last one used in staging */
    bool nothing_left;          /* no older history is left to be given up */
    struct td_expired given_up; /* of older history, to make room */
    bool spare_known;
    uint64_t spare; /* bytes that older history can still give; once known */
    bool filling;   /* there is no room: finish what is staged, then the state is full */
    struct td_task *current;
    struct td_task_list batch;   /* staged, in order */
    struct td_task_list placed;  /* carried out; reported after the next syncfs */
    size_t copies;               /* in the batch */
    uint64_t copied;             /* bytes of them */
    void *buffer;                /* for reading back */
    struct td_disk *disk;        /* the same for small files; NULL: they are read like others */
    struct td_disk_file *files;  /* TD_DISK_BATCH of them; with `disk` */
    struct td_failed_set failed; /* paths that are not what they should be: nothing may be linked to them */
};

/* queue: called by anybody */
void td_queue_push(struct td_target *target, struct td_packet *packet); /* blocks while full; takes it over */
struct td_packet *td_queue_pop(struct td_target *target);               /* worker; NULL: the end */

/* room: worker only */
bool td_errno_is_lost(int errnum);
bool td_errno_is_full(int errnum);
void td_target_end(struct td_target *target, enum td_target_state state, const char *reason);
/* Judge the failure rc of work on the member for `task`: a lost member is ended at once, and of a full one
 * `filling` is noted. Returns rc. */
int td_target_judge(struct td_target *target, struct td_task *task, int rc, const struct td_error *err);
/* After -ENOSPC or -EDQUOT from changing names or attributes: is it worth trying again? Gives up older history. */
bool td_room_retry(struct td_target *target, int rc);
/* The same for data, where the error leaves no doubt that there is no room. */
bool td_room_retry_data(struct td_target *target, int rc);
/* Before a file that needs so many bytes. -ENOSPC: the member could not hold it even without its older history, of
 * which nothing is given up then; `filling` when there is little room for anything else, too. */
int td_room_reserve(struct td_target *target, uint64_t need);
/* Bytes that giving up all older history would set free; a lower bound. Walks over all of it. */
uint64_t td_room_spare(struct td_target *target);

/* staging: worker only */
void td_staged_name(char out[TD_STAGED_NAME_MAX], const char *kind, uint64_t number);
int td_staging_open(int store); /* made if missing; a descriptor or a negative errno */
/* Each gives the task a number and makes new-<number>. 0 or a negative errno; on failure nothing is left. */
int td_stage_file(struct td_target *target, struct td_task *task, uint64_t need, struct td_error *err);
int td_stage_special(struct td_target *target, struct td_task *task, struct td_error *err);
int td_stage_link(struct td_target *target, struct td_task *task, struct td_error *err);
/* Takes the task's name out of staging, if it has one there. */
void td_stage_drop(struct td_target *target, struct td_task *task);
/* Opens what holds `path` below root: the parent and the last component, or root itself and "". */
int td_open_holder(int root, const char *path, const char **name);
/* Owner, mode, times of the task's entry and xattrs from its root for `name` in dir. What could not be kept of them is
 * noted in the task. */
int td_stage_attributes(struct td_target *target, struct td_task *task, int dir, const char *name,
                        struct td_error *err);
/* Would a new file with the task's attributes have just those whose digest is `have`? The others do not fit, then. */
bool td_stage_fits_no_more(struct td_target *target, const struct td_task *task, const uint8_t have[TD_HASH_LEN]);

/* keep: worker only */
struct td_kept {
    int dir;                 /* the directory in history that `name` is to be in; -1: nothing is kept */
    char base[NAME_MAX + 1]; /* the name it had */
    char name[NAME_MAX + 1]; /* the name that it has got, "" before */
    bool quarantine;
    struct td_buf place; /* where `dir` is below history/, with a slash at its end */
};
/* Make ready the place for the old version of the task's path. kept->dir stays -1 when nothing is to be kept. */
int td_keep_open(struct td_target *target, const struct td_task *task, struct td_kept *kept, struct td_error *err);
void td_keep_close(struct td_kept *kept);
int td_keep_link(struct td_kept *kept, int dir, const char *name, struct td_error *err);
int td_keep_rename(struct td_kept *kept, int dir, const char *name, struct td_error *err);
int td_keep_mkdir(struct td_kept *kept, int dir, const char *name, struct td_error *err);
void td_keep_undo_link(struct td_kept *kept);

/* history/<run> or quarantine/<run>, made when first needed; the target's. */
int td_keep_root(struct td_target *target, bool quarantine);
/* A directory in it, made if missing; the caller's. */
int td_keep_child(int dir, const char *name);

/* version: worker only. Describe what has just been kept, and everything in it if it is a directory's tree; reads what
 * has no known hash. What cannot be read is described without one. */
void td_version_note(struct td_target *target, struct td_task *task, const struct td_kept *kept, bool tree);
/* Before the extended attributes of `name` in dir change to those of the task: keep them. */
int td_version_attributes(struct td_target *target, struct td_task *task, int dir, const char *name,
                          struct td_error *err);

/* delta: worker only */
struct td_old_delta {
    uint64_t number; /* staging/delta-<number> */
    struct stat old; /* of what it was made from */
    struct td_entry entry;
    struct td_delta_sums sums;
};
/* For every copy of the batch that replaces a large file: its old version as a difference, durable and proven, where
 * that saves enough. */
void td_delta_batch(struct td_target *target);
/* Put the task's difference into history. 1: done, the old version may go; 0: there is none that fits what is there
 * now; or a negative errno. */
int td_delta_place(struct td_target *target, struct td_task *task, const struct stat *old, struct td_error *err);
void td_delta_undo(struct td_target *target, struct td_task *task);
void td_delta_drop(struct td_target *target, struct td_task *task);

/* Rename to a name that must be free: -EEXIST. */
int td_rename_new(int olddir, const char *old, int newdir, const char *new);
/* `base`, or with a suffix ".~<n>~" for n > 0, cut where it would be too long. */
void td_suffixed_name(char out[NAME_MAX + 1], const char *base, int n);

/* verify: worker only. Read back the copies of the batch, which are durable; those that are not right fail. */
void td_batch_verify(struct td_target *target);

/* place: worker only. Carry out a staged task. 0 or a negative errno. */
int td_place_task(struct td_target *target, struct td_task *task, struct td_error *err);

/* failed paths: worker only */
void td_failed_note(struct td_target *target, const char *path);
void td_failed_forget(struct td_target *target, const char *path);
bool td_failed_has(const struct td_target *target, const char *path);
void td_failed_clear(struct td_target *target);

/* batch: worker only */
void td_batch_handle(struct td_target *target, struct td_packet *packet); /* the packet stays the caller's */
void td_batch_discard(struct td_target *target); /* at a cancelled end: drop everything, report nothing */

/* Remove `name` in dir and, if it is a directory, everything below it; symlinks are not followed. What was
 * removed is added to *out (files: all that are no directories; bytes: of regular files; runs is left). */
int td_remove_tree(int dir, const char *name, struct td_expired *out);

#endif
