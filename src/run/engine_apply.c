/* Carrying out operations on the members. */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/run/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_FILE (64U << 20) /* no transaction stays open while a file of this size is copied */

static int start_target(struct td_engine *engine, enum td_side side, struct td_error *err) {
    struct td_target_options options = {
        .side = side,
        .collection = engine->side[side].root,
        .store = engine->side[side].store,
        .source = engine->side[TD_SOURCE].root,
        .history = engine->history,
        .reserve = engine->reserve,
        .done = td_inbox_put_op,
        .ctx = &engine->inbox,
    };
    return td_target_start(&options, &engine->target[side], err);
}

/* A member whose target cannot even be started is lost. */
void td_engine_targets_start(struct td_engine *engine) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        if (engine->side[side].alive && start_target(engine, (enum td_side)side, &error) != 0)
            td_engine_lose(engine, (enum td_side)side, error.text);
    }
}

/* A target that gave up takes its member out of the run. */
static void notice_losses(struct td_engine *engine) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_target *target = engine->target[side];
        if (target == NULL || !engine->side[side].alive || td_target_state(target) == TD_TARGET_OK)
            continue;
        engine->full[side] = td_target_state(target) == TD_TARGET_FULL;
        td_engine_lose(engine, (enum td_side)side, td_target_reason(target));
    }
}

void td_engine_targets_stop(struct td_engine *engine, bool cancel) {
    for (int side = TD_A; side <= TD_B; side++) {
        if (engine->target[side] == NULL)
            continue;
        if (!cancel)
            td_target_flush(engine->target[side]);
        notice_losses(engine);
        uint64_t files = 0, bytes = 0;
        td_target_given_up(engine->target[side], &files, &bytes);
        engine->tally[side].given_up += files;
        engine->tally[side].given_up_bytes += bytes;
        td_target_stop(engine->target[side], cancel);
        engine->target[side] = NULL;
    }
}

static int count_sides(unsigned members) {
    return __builtin_popcount(members);
}

/* The ledger takes a file as it has just been read from the source. Proofs of members that were not written stay when
 * the content is the one they were proven against, and the times, too: else they lack what this one has been given, and
 * nobody has altered them. So does that of a copy under repair, or one that has rotted would pass for one that was
 * never good when the run is cut off now. */
static int enter_copied(struct td_engine *engine, const struct td_op *op, unsigned members,
                        const struct td_copy_read *read, struct td_error *err) {
    struct td_file file = {0}, old;
    int rc = td_ledger_file(engine->ledger, engine->pair, op->path, &old, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    bool same = rc == 0 && old.has_hash && memcmp(old.hash, read->hash, TD_HASH_LEN) == 0;
    file.entry = read->entry;
    file.entry.path = op->path;
    file.entry.target = NULL;
    file.has_hash = true;
    memcpy(file.hash, read->hash, TD_HASH_LEN);
    file.had = same ? old.had : 0;
    bool as_it_was = same && td_entry_same_content(&old.entry, &read->entry);
    for (int side = TD_A; same && side <= TD_B; side++)
        if ((as_it_was && (members & TD_SIDE_BIT(side)) == 0) || engine->repairing) {
            file.cycle[side] = old.cycle[side];
            file.proven_at[side] = old.proven_at[side];
        }
    file.cycle[TD_SOURCE] = engine->cycle;
    file.proven_at[TD_SOURCE] = td_wall_seconds();
    rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_put_file(engine->ledger, engine->pair, &file, err);
}

/*
 * What may be copied. From the other member: nothing but what the ledger knows. From the source: a file whose size and
 * times are the ledger's must also have the ledger's content, or it has rotted, and no good copy may be made of that.
 */
static bool must_match(const struct td_work_op *work, const struct td_entry *now, const struct td_file *known) {
    if (!known->has_hash)
        return false;
    if (work->origin != TD_SOURCE)
        return true;
    return now->size == known->entry.size && td_same_time(&now->mtime, &known->entry.mtime) &&
           (known->held || td_same_time(&now->ctime, &known->entry.ctime));
}

/* The source's bytes are not the ledger's: it has to be read again, and judged, whatever was proven in this cycle. */
static int distrust_source(struct td_engine *engine, const char *path, struct td_file *known, struct td_error *err) {
    known->entry.path = path;
    known->cycle[TD_SOURCE] = 0;
    int rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_put_file(engine->ledger, engine->pair, known, err);
}

/* Reading a file failed, or what was read must not be believed: that is an incident, not an error. In the first pass
 * the source's failure is only noted: it is read again with the proof, and then judged and told once. */
static int not_copied(struct td_engine *engine, const struct td_work_op *work, enum td_copy_status status, int error,
                      struct td_file *known, struct td_error *err) {
    static const uint8_t none[TD_HASH_LEN];
    bool changing = status == TD_COPY_CHANGING;
    if (status == TD_COPY_UNREADABLE && (error == ENOENT || error == ESHUTDOWN))
        return 0; /* deleted since the walk: the next run sees it gone; or no member was left to take it */
    if (status == TD_COPY_MISMATCH && work->origin == TD_SOURCE)
        return distrust_source(engine, work->path, known, err);
    if (status == TD_COPY_MISMATCH)
        return td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_LOST, work->path, work->origin, NULL, err);
    if (work->origin == TD_SOURCE && !engine->repairing)
        return td_work_testify(engine->ledger, work->path, TD_SOURCE, changing ? 0 : error, changing, none, err);
    return td_engine_incident(engine, TD_INCIDENT_UNREADABLE, changing ? TD_CAUSE_CHANGING : TD_CAUSE_READ_ERROR,
                              work->path, work->origin, changing ? NULL : strerror(error), err);
}

/* Other bytes by the size and the mtime that the ledger knows: copied for another reason, and worth telling all the
 * same. */
static bool rewritten(const struct td_file *known, const struct td_copy_read *read) {
    return known->has_hash && !known->accepted && td_entry_same_content(&known->entry, &read->entry) &&
           memcmp(known->hash, read->hash, TD_HASH_LEN) != 0;
}

static int copy_file(struct td_engine *engine, const struct td_work_op *work, const struct td_op *op,
                     struct td_error *err) {
    struct td_target *targets[2];
    struct td_copy_read read = {0};
    struct td_file known;
    int count = 0;
    for (int side = TD_A; side <= TD_B; side++)
        if ((work->members & TD_SIDE_BIT(side)) != 0 && engine->side[side].alive)
            targets[count++] = engine->target[side];
    if (count == 0)
        return 0;
    int rc = work->size >= LARGE_FILE ? td_engine_tick(engine, true, err) : 0;
    if (rc != 0)
        return rc;
    rc = td_ledger_file(engine->ledger, engine->pair, op->path, &known, err);
    if (rc == -ENOENT)
        known = (struct td_file){0};
    else if (rc != 0)
        return rc;
    if (work->origin != TD_SOURCE && !known.has_hash)
        return 0;
    const uint8_t *expect = must_match(work, op->entry, &known) ? known.hash : NULL;
    enum td_copy_status status = td_target_copy(targets, count, engine->side[work->origin].root, op, expect, &read);
    if (status != TD_COPY_READ)
        return not_copied(engine, work, status, read.error, &known, err); /* the members keep what they have */
    rc = engine->repairing ? 0 : td_work_replaced(engine->ledger, op->path, err);
    if (rc == 0 && work->origin == TD_SOURCE && !engine->repairing && rewritten(&known, &read))
        rc = td_engine_incident(engine, TD_INCIDENT_NOTED, TD_CAUSE_EDITED_QUIETLY, op->path, TD_SOURCE, NULL, err);
    if (rc != 0)
        return rc;
    return work->origin == TD_SOURCE ? enter_copied(engine, op, work->members, &read, err) : 0;
}

/* What the ledger knows of the content goes with it to its new path. The old one is about to be forgotten; proofs were
 * of that. */
static int enter_moved(struct td_engine *engine, const char *path, const char *from, struct td_error *err) {
    struct td_file file;
    int rc = td_ledger_file(engine->ledger, engine->pair, from, &file, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    struct timespec ctime = file.entry.ctime;
    rc = td_work_entry(engine->ledger, TD_SOURCE, path, &file.entry, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    file.entry.ctime = ctime; /* until the source has been read, that it moved must stay visible */
    for (int side = 0; side < TD_SIDES; side++)
        file.cycle[side] = file.proven_at[side] = 0;
    return td_ledger_put_file(engine->ledger, engine->pair, &file, err);
}

/* A large file takes long: progress goes on within it. */
static void note_copying(void *ctx, uint64_t bytes) {
    struct td_engine *engine = ctx;
    engine->shown.done = engine->copied_before;
    for (int side = TD_A; side <= TD_B; side++) {
        if (engine->target[side] == NULL || !engine->side[side].alive)
            continue;
        engine->shown.done += bytes;
        engine->shown.side[side].active = true;
        engine->shown.side[side].done = td_target_bytes(engine->target[side]);
    }
    td_engine_note(engine);
}

static int submit(struct td_engine *engine, const struct td_work_op *work, struct td_error *err) {
    struct td_entry entry;
    struct td_op op = {
        .id = work->id << TD_OP_WHY_BITS | (int64_t)work->why,
        .action = work->action,
        .path = work->path,
        .from = work->from,
        .keep = work->keep,
        .quarantine = work->quarantine,
        .reading = note_copying,
        .ctx = engine,
    };
    if (work->action == TD_ACT_ENTER) {
        int entered = td_engine_write(engine, err);
        if (entered != 0)
            return entered;
        return work->from != NULL ? enter_moved(engine, work->path, work->from, err)
                                  : td_engine_enter_plain(engine, work->path, err);
    }
    engine->touched = true;
    int rc = td_engine_say_old(engine, work, &op, err);
    if (rc != 0)
        return rc;
    if (work->action != TD_ACT_DELETE) {
        rc = td_work_entry(engine->ledger, TD_SOURCE, work->path, &entry, err);
        if (rc == -ENOENT)
            return 0;
        if (rc != 0)
            return rc;
        op.entry = &entry;
    }
    if (work->action == TD_ACT_COPY)
        return copy_file(engine, work, &op, err);
    rc = engine->repairing ? 0 : td_work_replaced(engine->ledger, work->path, err);
    if (rc != 0)
        return rc;
    for (int side = TD_A; side <= TD_B; side++)
        if ((work->members & TD_SIDE_BIT(side)) != 0 && engine->side[side].alive)
            td_target_submit(engine->target[side], &op);
    return 0;
}

/* A copy is begun only when it would end, written and read back, before the run has to. */
static bool out_of_time(struct td_engine *engine, const struct td_work_op *op, char **last) {
    if (op->action != TD_ACT_COPY || !td_stop_late(engine->stop, (int64_t)(2 * op->size / TD_SLOW_RATE) + 1))
        return false;
    engine->late = true;
    engine->left_to_copy += *last == NULL || strcmp(*last, op->path) != 0; /* for each member, but one file */
    free(*last);
    *last = strdup(op->path);
    return true;
}

static int run_action(struct td_engine *engine, enum td_action action, struct td_error *err) {
    struct td_cursor *cursor = NULL;
    struct td_work_op op;
    TD_AUTOFREE char *put_off = NULL;
    int rc = td_work_ops(engine->ledger, action, &cursor, err);
    while (rc == 0 && td_engine_members(engine) != 0 && (rc = td_work_next_op(cursor, &op, err)) > 0) {
        engine->copied_before = engine->shown.done;
        rc = td_stop_asked(engine->stop)          ? -ECANCELED
             : out_of_time(engine, &op, &put_off) ? 0
                                                  : submit(engine, &op, err);
        engine->shown.done = engine->copied_before + op.size * (uint64_t)count_sides(op.members);
        notice_losses(engine);
        if (rc == 0)
            rc = td_engine_drain(engine, 0, err);
    }
    td_cursor_close(cursor);
    return rc;
}

/* A file that goes to two members is one file: what is counted is the busier member. */
static void add_up(struct td_engine *engine) {
    const struct td_counts *a = &engine->tally[TD_A], *b = &engine->tally[TD_B];
#define TD_MORE(field) engine->counts.field = a->field > b->field ? a->field : b->field
    TD_MORE(copied);
    TD_MORE(copied_bytes);
    TD_MORE(renamed);
    TD_MORE(deleted);
    TD_MORE(updated);
    TD_MORE(given_up);
    TD_MORE(given_up_bytes);
#undef TD_MORE
}

static int flush_targets(struct td_engine *engine, struct td_error *err) {
    int rc = td_engine_tick(engine, true, err); /* nothing of the ledger is held while the disks work */
    if (rc != 0)
        return rc;
    for (int side = TD_A; side <= TD_B; side++)
        if (engine->target[side] != NULL && engine->side[side].alive)
            td_target_flush(engine->target[side]);
    notice_losses(engine);
    return td_engine_drain(engine, 0, err);
}

/* Old names go only when their content is in place on every member, and when it is certain that they are gone. */
static int prepare_deletions(struct td_engine *engine, struct td_error *err) {
    TD_AUTOBUF struct td_buf newcomer = {0};
    uint64_t count = 0, bytes = 0;
    bool quiet = true;
    int rc = flush_targets(engine, err);
    if (rc == 0)
        rc = td_work_op_totals(engine->ledger, TD_ACT_DELETE, &count, &bytes, err);
    if (rc == 0 && count > 0)
        rc = td_engine_source_quiet(engine, &quiet, &newcomer, err);
    engine->hold_deletions = !quiet;
    if (rc != 0 || quiet)
        return rc;
    return td_engine_incident(engine, TD_INCIDENT_NOTED, TD_CAUSE_CHANGING, newcomer.data, TD_SOURCE,
                              "new since the run began; what is gone is deleted by the next run", err);
}

/* A member that filled up still gives up what the source gave up: renames into history need next to no room, and the
 * next run may let that history go. Otherwise it would be full for ever. */
static int delete_on_full(struct td_engine *engine, enum td_side side, struct td_error *err) {
    struct td_cursor *cursor = NULL;
    struct td_work_op work;
    struct td_error error = {0};
    if (engine->deleted_on_full[side] || start_target(engine, side, &error) != 0)
        return 0;
    engine->deleted_on_full[side] = true;
    int rc = td_work_ops(engine->ledger, TD_ACT_DELETE, &cursor, err);
    while (rc == 0 && (rc = td_work_next_op(cursor, &work, err)) > 0) {
        struct td_op op = {.id = work.id << TD_OP_WHY_BITS | (int64_t)work.why,
                           .action = TD_ACT_DELETE,
                           .path = work.path,
                           .keep = work.keep};
        rc = td_engine_say_old(engine, &work, &op, err);
        if (rc == 0 && (work.members & TD_SIDE_BIT(side)) != 0)
            td_target_submit(engine->target[side], &op);
        if (rc == 0)
            rc = td_stop_asked(engine->stop) ? -ECANCELED : td_engine_drain(engine, 0, err);
    }
    td_cursor_close(cursor);
    td_target_flush(engine->target[side]);
    td_target_stop(engine->target[side], rc != 0);
    engine->target[side] = NULL;
    int drained = td_engine_drain(engine, 0, err);
    return rc != 0 ? rc : drained;
}

/* Deletions last; names before contents, so that content that moved is in place before anything is copied. */
int td_engine_run_ops(struct td_engine *engine, struct td_error *err) {
    static const enum td_action order[] = {TD_ACT_ENTER,   TD_ACT_MKDIR, TD_ACT_MOVE,       TD_ACT_COPY,
                                           TD_ACT_SPECIAL, TD_ACT_LINK,  TD_ACT_ATTRIBUTES, TD_ACT_DELETE};
    int rc = 0;
    uint64_t put_off = engine->left_to_copy; /* by the first pass: the second is asked for them again */
    engine->left_to_copy = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order && rc == 0; i++) {
        if (order[i] == TD_ACT_DELETE)
            rc = prepare_deletions(engine, err);
        bool waits = order[i] == TD_ACT_DELETE && engine->hold_deletions;
        if (engine->left_to_copy > 0) /* links and deletions follow their content, in the next run */
            waits = waits || order[i] == TD_ACT_LINK || order[i] == TD_ACT_DELETE;
        if (rc == 0 && !waits)
            rc = run_action(engine, order[i], err);
        if (rc == 0 && order[i] == TD_ACT_MOVE && engine->moves_first && !engine->repairing)
            rc = flush_targets(engine, err);
    }
    if (rc == 0)
        rc = td_engine_tick(engine, true, err);
    td_engine_note(engine);
    td_engine_targets_stop(engine, rc != 0 && rc != -ECANCELED);
    notice_losses(engine);
    int drained = td_engine_drain(engine, 0, err);
    for (int side = TD_A; side <= TD_B && rc == 0 && drained == 0; side++)
        if (engine->full[side] && !engine->hold_deletions)
            drained = delete_on_full(engine, (enum td_side)side, err);
    add_up(engine);
    engine->left_to_copy = engine->left_to_copy > put_off ? engine->left_to_copy : put_off;
    if (drained == 0)
        drained = td_engine_tick(engine, true, err);
    return rc != 0 ? rc : drained;
}

int td_engine_apply(struct td_engine *engine, struct td_error *err) {
    uint64_t count = 0, bytes = 0;
    engine->phase = "copying";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    int rc = td_work_op_totals(engine->ledger, TD_ACT_COPY, &count, &bytes, err);
    engine->shown.all = bytes * (uint64_t)count_sides(td_engine_members(engine));
    if (rc != 0)
        return rc;
    rc = td_work_doubt(engine->ledger, engine->pair, err);
    if (rc != 0)
        return rc;
    td_engine_targets_start(engine);
    rc = td_engine_run_ops(engine, err);
    int undone = td_work_undoubt(engine->ledger, engine->pair, rc == 0 ? err : NULL);
    return rc != 0 ? rc : undone;
}
