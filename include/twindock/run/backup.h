/* One backup of one docked pair, from the verdict to the report: the state of a run, and its steps. */
#ifndef TWINDOCK_RUN_BACKUP_H
#define TWINDOCK_RUN_BACKUP_H

#include "twindock/ledger/ledger.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"
#include "twindock/run/engine.h"
#include "twindock/sync/history.h"

#include <stdbool.h>

struct td_backup {
    const struct td_app *app;
    const struct td_run_request *request;
    struct td_ledger *ledger;
    struct td_docking docking;
    struct td_run run;
    struct td_engine engine;
    bool engine_ready;
    struct td_progress *progress;
    const struct td_pair *pair;
    const struct td_collection_config *collection;
    int source;
    struct td_exclude *exclude;
    char history[TD_HISTORY_NAME_MAX];
    int64_t generation;
    const char *in_the_way[TD_SIDES]; /* what stands in a place of ours, when a member was lost for that; or NULL */
    bool is_no_directory[TD_SIDES];   /* and should be one; else it is one, and should not */
    bool blocked[TD_SIDES];           /* no directory stands where the collection's should be */
    bool stuck[TD_SIDES];             /* could not be unmounted */
    bool in_use[TD_SIDES];            /* closed, and another partition of the disk is mounted */
    bool closed; /* the members have been closed: they may be taken out, as far as they are not stuck */
    char unstopped[TD_SIDES][256]; /* why a drive was not stopped, as it should have been */
    bool switched_off;
    bool proven[TD_SIDES]; /* every copy on this member is proven in this cycle */
    struct td_buf plan;    /* --dry-run */
    bool dry_run;
    bool rows_known; /* of the ledger's files, proofs apart; made along with the manifests */
    uint8_t rows[TD_HASH_LEN];
};

/* Back up what is in `dock`. *ran false: nothing was there to do (empty, or not one of the collections asked for).
 * Appends the report to `out`; *finished is the run, for the mail about it (its reason is the caller's to free). An
 * exit code or a negative errno. The dock is free again on return. */
int td_backup_dock(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                   const struct td_dock_config *dock, bool *ran, struct td_run *finished, struct td_buf *out,
                   struct td_error *err);

/* --- steps, each in its own file ------------------------------------------------------------------------ */
/* The members that are docked, without a write; then one whose collection is no directory is lost, and the others go
 * on. Then for writing: whatever fails there is a member that is lost. */
int td_backup_mount_to_look(struct td_backup *backup, struct td_error *err);
void td_backup_mount_for_writing(struct td_backup *backup);
/* A member that has been backed up to another directory is told, and nothing on it is missed because of that. */
int td_backup_look_for_target(struct td_backup *backup, enum td_side side, struct td_error *err);
/* The engine works on what is mounted, or no longer. */
void td_backup_connect(struct td_backup *backup);
/* A journal left by a power cut is replayed by e2fsck, when everything else is ok; *dirty: there was one. A disk that
 * is not the judged one any more is lost, and not touched. When a member needs a person the reason is in `why`, the
 * judgement is about its slot, and no byte of either disk has changed. */
int td_backup_preen(struct td_backup *backup, bool *dirty, struct td_buf *why, struct td_error *err);
/* Raise the generation on both members, sweep what an interrupted run left. */
int td_backup_begin(struct td_backup *backup, struct td_error *err);
/* Ledger and member agree on what its history holds; its indexes and checksums are written. `own`: what is wrong with
 * the member; the returned errno is the ledger's. */
int td_backup_history(struct td_backup *backup, enum td_side side, struct td_error *own, struct td_error *err);
/* SHA256SUMS alone, as true as it can be now. */
int td_backup_manifests(struct td_backup *backup, struct td_error *err);
/* Manifest, RESTORE.txt, ledger copy, expiry; on every member still alive. */
int td_backup_finish(struct td_backup *backup, struct td_error *err);
/* The members are closed: stop their drives, as the dock's configuration says. */
void td_backup_eject(struct td_backup *backup);
/* May the disks be taken out? A sentence, also kept in the ledger; NULL when there is nothing to say. */
const char *td_backup_safe(struct td_backup *backup, struct td_buf *text);
/* An error may have its cause in a disk that was pulled out before anything was written: then that is what the run
 * says, and true is returned. */
bool td_backup_blame_pulled(struct td_backup *backup);
/* A member is lost: was it for something that stands where it should not? Looks while it is still mounted. */
void td_backup_find_in_the_way(struct td_backup *backup, enum td_side side);
/* Tell, while the run goes on, that a member is lost. `backup` is a struct td_backup. */
void td_backup_tell_loss(void *backup, enum td_side side);
bool td_backup_is_there(void *backup, enum td_side side);
/* Wait for a source that is not there yet, as long as the configuration says; then its descriptor, -ENOENT with the
 * reason in `why`, -ECANCELED, or another error. */
int td_backup_source(struct td_backup *backup, struct td_buf *why, struct td_error *err);
/* Bytes of a member's papers that are written anew beside the old ones: the ledger's copy, the lists of checksums. */
uint64_t td_backup_papers(int store);
/* A copy that another ledger has left on a member stays there, and gets a name of its own: 1 and the name; 0: there is
 * none; or a negative errno. */
#define TD_LEDGER_ASIDE_MAX 64
int td_ledger_set_aside(int store, int64_t generation, char name[TD_LEDGER_ASIDE_MAX]);
bool td_ledger_is_set_aside(const char *name);
/* The pair's part of the ledger, on every member that takes papers. */
int td_backup_copy_ledger(struct td_backup *backup, struct td_error *err);
/* A step failed on one member: the other goes on. */
void td_backup_lose(struct td_backup *backup, enum td_side side, int rc, const struct td_error *error);
/* Alive, or full: papers are then brought up to date as far as there is room. */
bool td_backup_takes_papers(const struct td_backup *backup, enum td_side side);
/* Why a member was lost or is full, and what to do, as the run's reason. */
void td_backup_explain_loss(struct td_backup *backup);
void td_backup_out_of_time(struct td_backup *backup);
void td_backup_reason(struct td_run *run, const char *text); /* keeps a copy */
/* Record the end, and say it. */
int td_backup_report(struct td_backup *backup, struct td_buf *out, struct td_error *err);

#endif
