/*
 * The engine of a run: three trees and a ledger, brought to agreement and proven. It knows directories and the ledger,
 * no docks; backup, verify and sync all drive it.
 *
 * Threads: walkers, readers and targets do the I/O on their disk; only the calling thread works with the ledger. What
 * the workers report goes through an inbox.
 *
 * Order: scan, plan, (brake), apply, prove, settle (judge and repair), directories. Every step may end early when
 * `stop` is set and leaves everything whole.
 */
#ifndef TWINDOCK_RUN_ENGINE_H
#define TWINDOCK_RUN_ENGINE_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/ledger/ledger.h"
#include "twindock/ledger/work.h"
#include "twindock/model/config.h"
#include "twindock/model/outcome.h"
#include "twindock/platform/json.h"
#include "twindock/platform/process.h"
#include "twindock/report/progress.h"
#include "twindock/run/inbox.h"
#include "twindock/run/stop.h"
#include "twindock/sync/exclude.h"
#include "twindock/sync/plan.h"
#include "twindock/sync/target.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TD_SLOW_RATE (50LL << 20) /* bytes a second that a disk certainly reaches: for "would not end by then" */

struct td_engine_side {
    int root;                    /* the collection's directory on this side; -1: not there. The caller's */
    int store;                   /* members: the .twindock directory; -1 on the source and when read-only */
    bool alive;                  /* part of this run and not lost */
    bool from_device;            /* what is small may be read from the device below: see sync/disk.h */
    const char *const *skip_top; /* names at its root that are not part of the tree */
    char reason[256];            /* why it is no longer alive */
};

struct td_engine {
    /* Given by the caller. */
    struct td_ledger *ledger;
    int64_t pair, run, cycle; /* ledger ids; proof is recorded under `cycle` */
    const struct td_collection_config *collection;
    const struct td_exclude *exclude;
    const char *history; /* name of this run's history directory; NULL: keep nothing */
    uint64_t reserve;    /* bytes to keep free on members by giving up older history */
    struct td_engine_side side[TD_SIDES];
    bool trust_ledger;   /* verify: there is no source, the ledger stands for it */
    bool accept_changes; /* nothing is held back for being too much */
    struct td_stop *stop;
    struct td_progress *progress; /* may be NULL */
    /* Both may be NULL: is a member's disk still where it was; and, once for each: it is lost, tell whoever looks. */
    bool (*is_there)(void *ctx, enum td_side side);
    void (*on_loss)(void *ctx, enum td_side side);
    void *ctx;

    /* Kept by the engine. */
    struct td_counts counts;
    struct td_counts tally[TD_SIDES]; /* of operations, per member */
    bool full[TD_SIDES];              /* a member was lost for want of room */
    bool deleted_on_full[TD_SIDES];   /* and has had its deletions all the same */
    struct td_brake brake;
    struct td_buf
        held_back; /* why the brake came on after the plan: what it is about was not copied; empty: it did not */
    int exit;      /* worst of what was found: TD_EXIT_OK, _UNREADABLE, _ROT, _MEMBER_LOST */
    uint64_t left_to_copy;     /* files that there was no time for */
    bool late;                 /* ended for the deadline: proof is left to do */
    struct td_companion awake; /* keeps the machine from going to sleep meanwhile */
    struct td_inbox inbox;
    struct td_target *target[TD_SIDES];
    struct td_progress_state shown;
    int64_t last_commit_ns, last_note_ns, last_watch_ns;
    uint64_t copied_before; /* of what is shown as done: without the file that is being copied */
    bool loss_told[TD_SIDES], stop_told;
    bool in_transaction;
    pthread_mutex_t scan_lock;       /* walkers share the ledger's connection */
    const char *phase, *noted_phase; /* now, and as --info shows it */
    struct td_proof *proof;          /* while reading: see engine_prove.c */
    bool planned;                    /* a plan was made before: what it reported is not reported again */
    bool hold_deletions;             /* the source moved under the walk: what seems gone may be elsewhere */
    bool touched;                    /* a member was given something to do: it may not be what the walk saw any more */
    bool moved[TD_SIDES];            /* a member has been written before, but to another directory */
    bool tree_gone[TD_SIDES];        /* a member has lost all that was proven on it: the collection's directory, too */
    bool moves_first;                /* what is known of moved files must be entered before their old paths change */
    bool repairing;                  /* the second pass of apply: repairs judged from the proof */
};

int td_engine_init(struct td_engine *engine, struct td_error *err); /* call after filling in the givens */
void td_engine_free(struct td_engine *engine);

/* Set of TD_SIDE_BITs of the members alive. */
unsigned td_engine_members(const struct td_engine *engine);

/* Walk the given sides (set of bits) in parallel into the working tables; then work out hard links. */
int td_engine_scan(struct td_engine *engine, unsigned sides, struct td_error *err);
/* Make the operations and fill in `brake` and the counts of the source. */
int td_engine_plan(struct td_engine *engine, struct td_error *err);
/* The plan as text, a line an operation and a sum: for --dry-run; and into a JSON object. */
int td_engine_list_plan(struct td_engine *engine, struct td_json *object, struct td_error *err);
int td_engine_show_plan(struct td_engine *engine, struct td_buf *out, struct td_error *err);
/* Carry out the operations. A lost member is no error: see side[].alive and exit. */
int td_engine_apply(struct td_engine *engine, struct td_error *err);
/* Read what is not yet proven in this cycle, on the given sides. */
int td_engine_prove(struct td_engine *engine, unsigned sides, struct td_error *err);
/* The same for what lies in the members' history; what is damaged is made good (`repair`) or told. */
int td_engine_prove_history(struct td_engine *engine, bool repair, struct td_error *err);
/* Judge what did not agree, and repair. `repair` false: only report (verify). */
int td_engine_settle(struct td_engine *engine, bool repair, struct td_error *err);
/* What a run that was cut off has repaired, as far as this one has found it in its place. */
int td_engine_tell_repairs(struct td_engine *engine, struct td_error *err);
/* Last pass over directories: owners, modes, times. */
int td_engine_directories(struct td_engine *engine, struct td_error *err);

/* --- shared among the engine's own files -------------------------------------------------------------- */
void td_engine_targets_start(struct td_engine *engine);
void td_engine_targets_stop(struct td_engine *engine, bool cancel);
/* Before deletions: false when the source got names since the walk that may be those that seem gone; one is named. */
int td_engine_source_quiet(struct td_engine *engine, bool *quiet, struct td_buf *newcomer, struct td_error *err);
/* Of the planned copies: those that look like something encrypted the tree. */
int td_engine_count_scrambled(struct td_engine *engine, struct td_error *err);
int td_engine_run_ops(struct td_engine *engine, struct td_error *err);
int td_engine_say_old(struct td_engine *engine, const struct td_work_op *work, struct td_op *op, struct td_error *err);
int td_engine_enter_items(struct td_engine *engine, const struct td_op_done *done, struct td_error *err);
/* Put an entry that carries no content into the ledger: a directory, a link, a device. */
int td_engine_enter_plain(struct td_engine *engine, const char *path, struct td_error *err);
#define TD_OP_WHY_BITS 5 /* the reason travels in the low bits of an operation's id */
_Static_assert(TD_WHYS <= 1 << TD_OP_WHY_BITS, "reasons fit into an operation's id");
int td_engine_op_done(struct td_engine *engine, const struct td_message *message, struct td_error *err);
int td_engine_drain(struct td_engine *engine, int wait_ms, struct td_error *err);
int td_engine_write(struct td_engine *engine, struct td_error *err); /* a transaction is open after it */
void td_engine_note(struct td_engine *engine);                       /* show progress, tell of disks that are gone */
int td_engine_tick(struct td_engine *engine, bool force, struct td_error *err); /* commit (force: now), show progress */
int td_engine_incident(struct td_engine *engine, enum td_incident_kind kind, enum td_cause cause, const char *path,
                       enum td_side side, const char *detail, struct td_error *err);
void td_engine_lose(struct td_engine *engine, enum td_side side, const char *reason);
/* After a read error: does the member still answer, or is the whole disk gone? Its card is read from the medium. */
bool td_engine_member_answers(const struct td_engine *engine, enum td_side side);
int td_engine_read_done(struct td_engine *engine, const struct td_message *message, struct td_error *err);
/* Give a hard link group's other names what the ledger knows of `leader`; of members where they are its inode. */
int td_engine_enter_links(struct td_engine *engine, const char *leader, struct td_error *err);
/* A name of such a group has got a new inode on a member: see it as it is now. */
int td_engine_look_again(struct td_engine *engine, const struct td_op_done *done, struct td_error *err);
/* A bad copy is going to be repaired; has been, which is an incident; has not been, which the caller tells. `place` as
 * for td_ledger_repair(). */
int td_engine_repair_begins(struct td_engine *engine, const struct td_incident *bad, const char *place,
                            struct td_error *err);
int td_engine_repair_done(struct td_engine *engine, const struct td_incident *bad, const char *place,
                          struct td_error *err);
int td_engine_repair_failed(struct td_engine *engine, const struct td_incident *bad, const char *place,
                            struct td_error *err);
int td_engine_repaired(struct td_engine *engine, const char *path, enum td_side side, int error, struct td_error *err);

#endif
