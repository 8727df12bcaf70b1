/*
 * The ledger's part of the history: what paths were before, what each member keeps of it and where, and how to find a
 * content. Functions return 0 or a negative errno, as in ledger.h. Members are TD_A and TD_B.
 */
#ifndef TWINDOCK_LEDGER_HISTORY_H
#define TWINDOCK_LEDGER_HISTORY_H

#include "twindock/ledger/ledger.h"
#include "twindock/ledger/work.h"
#include "twindock/model/version.h"

/* --- what a member keeps ------------------------------------------------------------------------------ */
/* Enter something that a member keeps; another entry of the same place is replaced. */
int td_ledger_keep(struct td_ledger *ledger, int64_t pair, enum td_side member, const struct td_version *version,
                   struct td_error *err);
int td_ledger_drop_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                        struct td_error *err);
/* 0 or -ENOENT. */
int td_ledger_has_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                       struct td_error *err);
/* All that a run put into a member's history (run -1: all of all runs), in the order of places; texts are valid during
 * the call. `each` may enter and drop. */
int td_ledger_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, int64_t run,
                   int (*each)(void *ctx, const struct td_version *version), void *ctx, struct td_error *err);
/* What is not proven in `cycle`, and its bytes as they lie there, in the order of places. */
int td_ledger_kept_unproven(struct td_ledger *ledger, int64_t pair, enum td_side member, int64_t cycle,
                            int (*each)(void *ctx, const struct td_version *version), void *ctx, struct td_error *err);
/* It was read and is right (lost false), or is damaged and there is no other. */
int td_ledger_prove_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place, int64_t cycle,
                         int64_t when, bool lost, struct td_error *err);
/* It is damaged, but is not given up: whatever was proven of it before, it is read again by the next run. */
int td_ledger_doubt_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                         struct td_error *err);

/* A directory of a member's history agrees with what is entered of it. */
int td_ledger_settle(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name, int64_t run,
                     struct td_error *err);
int td_ledger_settled(struct td_ledger *ledger, int64_t pair, enum td_side member,
                      int (*each)(void *ctx, const char *name, int64_t run), void *ctx, struct td_error *err);
/* It does not any more, or its index does not: it is looked through again. */
int td_ledger_disturb(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name,
                      struct td_error *err);
/* The directory of `run` is gone: so is what was kept in it. */
int td_ledger_unsettle(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name, int64_t run,
                       struct td_error *err);
/* Drop what paths were, as far as no member has anything of it any more. */
int td_ledger_prune(struct td_ledger *ledger, int64_t pair, struct td_error *err);

/* --- going back ---------------------------------------------------------------------------------------- */
/* The newest backup (a run that wrote) begun at `when` (wall seconds; INT64_MAX: the newest of all) or earlier. Times
 * that contradict the order of the runs, or lie in the future, count for nothing. -ENOENT: none was. */
int td_ledger_run_at(struct td_ledger *ledger, int64_t pair, int64_t when, int64_t *run, int64_t *started,
                     struct td_error *err);
/* The oldest run whose tree can still be told: what it replaced itself need not be there. */
int td_ledger_history_begins(struct td_ledger *ledger, int64_t pair, int64_t *run, int64_t *started,
                             struct td_error *err);

struct td_state {
    struct td_entry entry; /* times of change, blocks and links as far as known */
    bool has_hash;
    uint8_t hash[TD_HASH_LEN];
    int64_t since, until; /* runs; until 0: it is so now */
};
/* The tree as run `run` left it, below `path` ("" all of it; a file is itself) in path order. Texts are valid during
 * the call. */
int td_ledger_tree(struct td_ledger *ledger, int64_t pair, int64_t run, const char *path,
                   int (*each)(void *ctx, const struct td_state *state), void *ctx, struct td_error *err);
/* Of a path that the tree of run `run` has not: when it was last found gone before, and when the backup began that
 * still had it, wall seconds: what td_ledger_run_at() takes. -ENOENT: nothing is known of it before, or not any more.
 */
int td_ledger_deleted(struct td_ledger *ledger, int64_t pair, int64_t run, const char *path, int64_t *gone,
                      int64_t *before, struct td_error *err);

/* What changed: every state that a path at or below `path` had before, and what it is now where that came to be within
 * the history; newest first within a path. */
struct td_change {
    struct td_state state;
    bool first;                /* nothing is known of the path before it */
    int64_t ended;             /* when the run `state.until` began, wall seconds; 0: it is so now */
    int64_t began;             /* the same of `state.since` */
    char how[TD_SIDES];        /* where a member has its content: 'l' in the collection as it is now, 'w' whole, 'd' as
                                  a delta, 0: not there, or under another name */
    uint64_t stored[TD_SIDES]; /* bytes that it takes in that member's history */
    bool gone;                 /* after it there was no such path */
};
int td_ledger_changes(struct td_ledger *ledger, int64_t pair, const char *path,
                      int (*each)(void *ctx, const struct td_change *change), void *ctx, struct td_error *err);

/* Where a member has a content: live paths first (place NULL), then what is whole, then deltas. Nothing is known for
 * certain but what was proven once: whoever reads it compares. Texts are valid during the call; `each` may ask again.
 * 1 from it ends the search, and is returned. */
struct td_source {
    const char *path;  /* in the collection; NULL: in history */
    const char *place; /* below .twindock/history/; NULL: live */
    enum td_version_kind kind;
    uint8_t base[TD_HASH_LEN];   /* DELTA */
    uint8_t stored[TD_HASH_LEN]; /* of what lies at place; zeros: not known */
    uint64_t size;               /* history: of the version; 0: not known */
    bool left;                   /* live: what was there before a run that this member had no part in, and still is,
                                    if it has this size and time */
    struct timespec mtime;
};
int td_ledger_find(struct td_ledger *ledger, int64_t pair, enum td_side member, const uint8_t hash[TD_HASH_LEN],
                   int (*each)(void *ctx, const struct td_source *source), void *ctx, struct td_error *err);
/* Where a member has a set of extended attributes. */
int td_ledger_find_xattrs(struct td_ledger *ledger, int64_t pair, enum td_side member,
                          const uint8_t xattrs[TD_HASH_LEN], int (*each)(void *ctx, const struct td_source *source),
                          void *ctx, struct td_error *err);

/* A delta on a member, for an example: its place, and the path of the content it stands on, malloc'ed; both NULL where
 * there is none. */
int td_ledger_example(struct td_ledger *ledger, int64_t pair, enum td_side member, char **place, char **base,
                      struct td_error *err);
/* Every path that has or had a content; 1 from `each` ends it, and is returned. */
int td_ledger_paths_of(struct td_ledger *ledger, int64_t pair, const uint8_t hash[TD_HASH_LEN],
                       int (*each)(void *ctx, const char *path, uint64_t size), void *ctx, struct td_error *err);
/* 1: the ledger knows such a path, now or before; 0: it does not. */
int td_ledger_knows_path(struct td_ledger *ledger, int64_t pair, const char *path, struct td_error *err);

/* --- drills -------------------------------------------------------------------------------------------- */
int td_ledger_drill(struct td_ledger *ledger, int64_t pair, int64_t at, uint64_t files, uint64_t bytes, uint64_t failed,
                    struct td_error *err);
/* The newest that found nothing wrong; 0: none. */
int td_ledger_last_drill(struct td_ledger *ledger, int64_t pair, int64_t *at, struct td_error *err);
/* `count` random states that can be restored: now or before. */
int td_ledger_pick(struct td_ledger *ledger, int64_t pair, int64_t count,
                   int (*each)(void *ctx, const struct td_state *state), void *ctx, struct td_error *err);

#endif
