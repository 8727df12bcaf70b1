/* What all steps of the engine share: transactions, reports from the workers, incidents, losing a member. */
#include "twindock/run/engine.h"

#include "twindock/base/clock.h"

#include <stdio.h>
#include <string.h>

#define COMMIT_EVERY_NS 2000000000LL
#define NOTE_EVERY_NS 5000000000LL
#define WATCH_EVERY_NS 1000000000LL

/* A machine that nobody uses would go to sleep in the middle of a run. systemd's logind is asked through its own tool
 * to let it not, for as long as `cat` has an input; where there is none, nothing is lost. */
static void stay_awake(struct td_engine *engine) {
    static const char *const argv[] = {"systemd-inhibit",
                                       "--what=sleep",
                                       "--who=twindock",
                                       "--why=A backup is being made or read",
                                       "--mode=block",
                                       "cat",
                                       NULL};
    struct td_error ignored;
    td_process_start(argv, &engine->awake, &ignored);
}

int td_engine_init(struct td_engine *engine, struct td_error *err) {
    stay_awake(engine);
    td_inbox_init(&engine->inbox);
    pthread_mutex_init(&engine->scan_lock, NULL);
    engine->phase = "looking";
    int rc = td_work_start(engine->ledger, err);
    return rc != 0 || engine->run == 0 ? rc : td_ledger_enter_proofs(engine->ledger, engine->pair, err);
}

void td_engine_free(struct td_engine *engine) {
    td_engine_targets_stop(engine, true);
    if (engine->in_transaction)
        td_ledger_rollback(engine->ledger);
    engine->in_transaction = false;
    pthread_mutex_destroy(&engine->scan_lock);
    td_inbox_free(&engine->inbox);
    td_buf_free(&engine->held_back);
    td_process_stop(&engine->awake);
}

unsigned td_engine_members(const struct td_engine *engine) {
    unsigned members = 0;
    for (int side = TD_A; side <= TD_B; side++)
        if (engine->side[side].alive)
            members |= TD_SIDE_BIT(side);
    return members;
}

int td_engine_write(struct td_engine *engine, struct td_error *err) {
    if (engine->in_transaction)
        return 0;
    int rc = td_ledger_begin(engine->ledger, err);
    if (rc == 0) {
        engine->in_transaction = true;
        engine->last_commit_ns = td_boot_ns();
    }
    return rc;
}

static void note_progress(struct td_engine *engine, int64_t now) {
    if (engine->progress != NULL)
        td_progress_show(engine->progress, &engine->shown, now);
    bool new_phase = engine->noted_phase != engine->phase;
    if (engine->run == 0 || (now - engine->last_note_ns < NOTE_EVERY_NS && !new_phase))
        return;
    engine->last_note_ns = now;
    engine->noted_phase = engine->phase;
    struct td_error ignored; /* a nicety: when another run holds the ledger just now, the next note will do */
    td_ledger_run_progress(engine->ledger, engine->run, engine->phase, engine->shown.done, engine->shown.all, &ignored);
}

static void tell_loss(struct td_engine *engine, enum td_side side) {
    if (engine->loss_told[side])
        return;
    engine->loss_told[side] = true;
    if (engine->on_loss != NULL)
        engine->on_loss(engine->ctx, side);
}

/* A disk that was pulled is told at once, also while there is nothing to read from it; it is taken out of the run by
 * what then fails on it. */
static void watch_disks(struct td_engine *engine, int64_t now) {
    if (engine->is_there == NULL || now - engine->last_watch_ns < WATCH_EVERY_NS)
        return;
    engine->last_watch_ns = now;
    for (int side = TD_A; side <= TD_B; side++)
        if (engine->side[side].alive && !engine->is_there(engine->ctx, (enum td_side)side))
            tell_loss(engine, (enum td_side)side);
}

/* Syncing and closing can take a while on slow disks: whoever asked must see that they were heard. */
static void tell_stop(struct td_engine *engine) {
    if (engine->stop_told || engine->progress == NULL || !td_stop_asked(engine->stop))
        return;
    engine->stop_told = true;
    td_progress_say(engine->progress, "Stopping: what has been begun is finished first.");
}

void td_engine_note(struct td_engine *engine) {
    int64_t now = td_boot_ns();
    tell_stop(engine);
    engine->shown.phase = engine->phase;
    note_progress(engine, now);
    watch_disks(engine, now);
}

int td_engine_tick(struct td_engine *engine, bool force, struct td_error *err) {
    int64_t now = td_boot_ns();
    int rc = 0;
    td_engine_note(engine);
    if (engine->in_transaction && (force || now - engine->last_commit_ns > COMMIT_EVERY_NS)) {
        rc = td_ledger_commit(engine->ledger, err);
        engine->in_transaction = false;
    }
    return rc;
}

int td_engine_drain(struct td_engine *engine, int wait_ms, struct td_error *err) {
    int rc = 0;
    for (;;) {
        struct td_message *message = td_inbox_take(&engine->inbox, wait_ms);
        if (message == NULL)
            break;
        wait_ms = 0;
        if (rc == 0)
            rc = message->is_read ? td_engine_read_done(engine, message, err) : td_engine_op_done(engine, message, err);
        td_message_free(message);
    }
    return rc != 0 ? rc : td_engine_tick(engine, false, err);
}

int td_engine_incident(struct td_engine *engine, enum td_incident_kind kind, enum td_cause cause, const char *path,
                       enum td_side side, const char *detail, struct td_error *err) {
    static const char letters[TD_SIDES] = {0, 'A', 'B'};
    struct td_incident incident = {kind, cause, path, letters[side], detail};
    int worst = TD_EXIT_OK;
    switch (kind) {
    case TD_INCIDENT_HELD:
        engine->counts.held++;
        worst = TD_EXIT_ROT;
        break;
    case TD_INCIDENT_REPAIRED:
        engine->counts.repaired++;
        worst = cause == TD_CAUSE_BACKUP_ROT || cause == TD_CAUSE_READ_ERROR ? TD_EXIT_ROT : TD_EXIT_OK;
        break;
    case TD_INCIDENT_UNREADABLE:
        engine->counts.unreadable++;
        worst = cause == TD_CAUSE_BACKUP_ROT || (cause == TD_CAUSE_READ_ERROR && side != TD_SOURCE)
                    ? TD_EXIT_ROT
                    : TD_EXIT_UNREADABLE;
        break;
    case TD_INCIDENT_NOTED:
        engine->counts.noted++;
        break;
    }
    engine->exit = td_exit_worse(engine->exit, worst);
    if (engine->run == 0) /* a dry run leaves no trace */
        return 0;
    int rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_incident(engine->ledger, engine->run, &incident, err);
}

void td_engine_lose(struct td_engine *engine, enum td_side side, const char *reason) {
    struct td_engine_side *lost = &engine->side[side];
    if (!lost->alive)
        return;
    lost->alive = false;
    snprintf(lost->reason, sizeof lost->reason, "%s", reason);
    engine->exit = td_exit_worse(engine->exit, TD_EXIT_MEMBER_LOST);
    tell_loss(engine, side);
}
