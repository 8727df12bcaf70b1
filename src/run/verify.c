/* `verify`: both docked members in full against the ledger. Needs no source and writes to no disk. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"
#include "twindock/run/docks.h"
#include "twindock/run/engine.h"
#include "twindock/run/need.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verifying {
    const struct td_app *app;
    struct td_ledger *ledger;
    struct td_docking docking;
    struct td_run run;
    struct td_engine engine;
    struct td_error fault[TD_SIDES]; /* why a member could not be mounted, by its own fault; code 0: it could */
    struct td_error *err;
};

/* A member that took another's place and has seen no run holds nothing that could be read. */
static bool is_new(const struct verifying *verifying, int side) {
    return td_pair_member_is_new(verifying->docking.judgement.pair, side - TD_A);
}

/* The ledger stands in for the source: its files are what must be on the members. */
static int expect_file(void *ctx, const struct td_file *file) {
    struct verifying *verifying = ctx;
    return td_work_scan(verifying->ledger, TD_SOURCE, &file->entry, verifying->err);
}

static void fill_run(struct verifying *verifying) {
    struct td_run *run = &verifying->run;
    const struct td_pair *pair = verifying->docking.judgement.pair;
    snprintf(run->command, sizeof run->command, "verify");
    snprintf(run->dock, sizeof run->dock, "%s", verifying->docking.dock->name);
    if (gethostname(run->host, sizeof run->host - 1) != 0)
        run->host[0] = '\0';
    run->started = td_wall_seconds();
    run->verdict = verifying->docking.judgement.verdict;
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run->state[side], sizeof run->state[side], "%s",
                 td_docking_first_state(&verifying->docking, (enum td_side)side));
    if (pair != NULL) {
        run->pair = pair->id;
        run->previous_exit = td_notify_previous_exit(verifying->ledger, run->pair);
        snprintf(run->collection, sizeof run->collection, "%s", pair->collection);
        snprintf(run->uuid, sizeof run->uuid, "%s", pair->uuid);
    }
}

static int describe_run(struct verifying *verifying) {
    fill_run(verifying);
    return td_ledger_run_begin(verifying->ledger, &verifying->run, verifying->err);
}

/* A member whose own fault it is that it cannot be mounted is no reason not to read the other. */
static int mount_members(struct verifying *verifying, const char *target) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        int rc = td_docking_mount_side(&verifying->docking, (enum td_side)side, target, true, &error);
        if (td_docking_own_fault(rc)) {
            verifying->fault[side] = error;
            td_docking_unmount(&verifying->docking, (enum td_side)side, NULL);
        } else if (rc != 0) {
            *verifying->err = error;
            return rc;
        }
    }
    return 0;
}

static void lose_faulty(struct verifying *verifying) {
    TD_AUTOBUF struct td_buf reason = {0};
    for (int side = TD_A; side <= TD_B; side++) {
        if (verifying->fault[side].code == 0)
            continue;
        verifying->engine.side[side].alive = true;
        td_engine_lose(&verifying->engine, (enum td_side)side, verifying->fault[side].text);
        td_buf_printf(&reason, "%sMember %c could not be read: %s.", reason.len > 0 ? " " : "",
                      side == TD_A ? 'A' : 'B', verifying->fault[side].text);
    }
    if (reason.len > 0)
        verifying->run.reason = td_buf_take(&reason);
}

static int read_members(struct verifying *verifying, const struct td_collection_config *collection) {
    struct td_engine *engine = &verifying->engine;
    struct td_error *err = verifying->err;
    int rc = mount_members(verifying, collection->target);
    if (rc != 0)
        return rc;
    *engine = (struct td_engine){
        .ledger = verifying->ledger,
        .pair = verifying->run.pair,
        .run = verifying->run.id,
        .cycle = verifying->run.id, /* everything is read, whatever was proven before */
        .collection = collection,
        .trust_ledger = true,
        .stop = verifying->app->stop,
        .progress = td_progress_new(STDERR_FILENO, false),
    };
    engine->side[TD_SOURCE] = (struct td_engine_side){.root = -1, .store = -1};
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_mounted *mounted = &verifying->docking.mounted[side];
        engine->side[side] = (struct td_engine_side){.root = mounted->collection, /* -1: gone, and all files with it */
                                                     .store = mounted->store,
                                                     .alive = mounted->root >= 0 && !is_new(verifying, side),
                                                     .from_device = true};
    }
    rc = td_engine_init(engine, err);
    if (rc == 0)
        lose_faulty(verifying);
    if (rc == 0)
        rc = td_engine_scan(engine, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), err);
    if (rc == 0)
        rc = td_ledger_files(verifying->ledger, engine->pair, expect_file, verifying, err);
    if (rc == 0)
        rc = td_work_link(verifying->ledger, err);
    if (rc == 0)
        rc = td_work_totals(verifying->ledger, TD_SOURCE, &engine->counts.files, &engine->counts.bytes, err);
    if (rc == 0)
        rc = td_engine_prove(engine, td_engine_members(engine), err);
    if (rc == 0)
        rc = td_engine_settle(engine, false, err);
    if (rc == 0)
        rc = td_engine_prove_history(engine, false, err);
    td_progress_clear(engine->progress);
    return rc;
}

static void judge_result(struct verifying *verifying, int rc) {
    struct td_run *run = &verifying->run;
    bool half = strcmp(run->state[TD_A], TD_STATE_NEW) == 0 || strcmp(run->state[TD_B], TD_STATE_NEW) == 0;
    run->counts = verifying->engine.counts;
    run->exit = verifying->engine.exit;
    if (half && run->exit == TD_EXIT_OK)
        run->exit = TD_EXIT_REFUSED; /* one backup is fine; but it is not the pair that was to be verified */
    run->result = run->exit == TD_EXIT_MEMBER_LOST ? TD_RESULT_FAILED : TD_RESULT_DONE;
    if (rc == -ECANCELED) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = TD_EXIT_SIGNAL + atomic_load(&verifying->app->stop->signal);
    } else if (rc != 0) {
        run->result = TD_RESULT_FAILED;
        run->exit = TD_EXIT_INTERNAL;
        free(run->reason);
        run->reason = strdup(verifying->err->text);
    }
}

static int record_members(struct verifying *verifying) {
    struct td_engine *engine = &verifying->engine;
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        uint64_t copies = 1, bytes = 0;
        if (td_docking_slot(&verifying->docking, (enum td_side)side) == NULL)
            continue;
        if (is_new(verifying, side)) {
            snprintf(verifying->run.state[side], sizeof verifying->run.state[side], TD_STATE_NEW);
            continue;
        }
        rc = td_ledger_unproven(verifying->ledger, engine->pair, TD_SIDE_BIT(side), engine->cycle, &copies, &bytes,
                                verifying->err);
        bool proven = engine->side[side].alive && copies == 0;
        snprintf(verifying->run.state[side], sizeof verifying->run.state[side], "%s",
                 !engine->side[side].alive ? "lost"
                 : proven                  ? "ok"
                                           : "unproven");
        engine->counts.left += copies;
        if (rc == 0)
            rc = td_ledger_member_state(verifying->ledger, verifying->docking.judgement.pair->members[side - TD_A].id,
                                        verifying->run.state[side], proven ? td_wall_seconds() : 0, verifying->err);
    }
    return rc;
}

static void refuse(struct verifying *verifying) {
    struct td_buf advice = {0};
    td_advise(&verifying->docking.seen, &verifying->docking.judgement, &advice);
    verifying->run.reason = td_buf_take(&advice);
    verifying->run.result = TD_RESULT_REFUSED;
    verifying->run.exit = TD_EXIT_REFUSED;
}

/* A journal left by a power cut would have to be replayed first, and that is writing. */
static void refuse_dirty(struct verifying *verifying) {
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_slot *slot = td_docking_slot(&verifying->docking, (enum td_side)side);
        if (!td_docking_dirty(slot) || verifying->docking.judgement.verdict != TD_OK)
            continue;
        verifying->docking.judgement.verdict = verifying->run.verdict = TD_UNCLEAN;
        verifying->docking.judgement.slot = verifying->docking.judgement.slot_of[side - TD_A];
        verifying->docking.judgement.detail =
            "its journal holds changes from before a power cut; a run puts that in order";
    }
}

/* The disks were mounted read-only: when they let go they may be taken out. */
static const char *safe_sentence(struct verifying *verifying, struct td_buf *text) {
    if (verifying->run.result == TD_RESULT_REFUSED)
        return NULL;
    for (int side = TD_A; side <= TD_B; side++)
        if (td_docking_unmount(&verifying->docking, (enum td_side)side, NULL) != 0)
            return NULL;
    return td_docking_safe(&verifying->docking, verifying->ledger, verifying->run.id, text);
}

static int stop_at_first(void *ctx, const struct td_file *file) {
    (void)ctx;
    (void)file;
    return 1;
}

/* Is there anything that was ever backed up to what is docked? To read nothing and find nothing wrong is no success.
 * 0: yes; TD_EXIT_REFUSED after a sentence. Nothing of it is recorded: no disk was read, and --info knows it. */
static int need_backup(struct verifying *verifying, struct td_buf *out) {
    const struct td_docking *docking = &verifying->docking;
    const struct td_pair *pair = docking->judgement.pair;
    char reason[256];
    int any = td_ledger_files(verifying->ledger, pair->id, stop_at_first, NULL, verifying->err);
    if (any < 0)
        return any;
    int alone = td_docking_slot(docking, TD_A) == NULL ? TD_B : TD_A;
    bool half = td_docking_slot(docking, TD_A) == NULL || td_docking_slot(docking, TD_B) == NULL;
    if (any > 0 && !(half && is_new(verifying, alone)))
        return 0;
    if (any > 0)
        snprintf(reason, sizeof reason,
                 "Member %c is new and has no backup yet, so there is nothing to verify. Dock the pair, and "
                 "`twindock run` fills it.",
                 pair->members[alone - TD_A].letter);
    else
        snprintf(reason, sizeof reason,
                 "There is no backup of %s yet, so there is nothing to verify. Make one with `twindock run`.",
                 pair->collection);
    fill_run(verifying);
    verifying->run.result = TD_RESULT_REFUSED;
    verifying->run.exit = TD_EXIT_REFUSED;
    verifying->run.ended = verifying->run.started;
    verifying->run.reason = reason;
    int rc = td_notify_print(verifying->app, verifying->ledger, &verifying->run, NULL, out, verifying->err);
    verifying->run.reason = NULL;
    return rc != 0 ? rc : TD_EXIT_REFUSED;
}

static int verify_docked(struct verifying *verifying, struct td_buf *out) {
    TD_AUTOBUF struct td_buf safe = {0};
    const struct td_judgement *judgement = &verifying->docking.judgement;
    int rc = 0;
    if (judgement->verdict == TD_OK)
        rc = td_need_section(verifying->app->config, judgement->pair->collection, verifying->err);
    if (judgement->verdict == TD_OK && rc == 0)
        rc = need_backup(verifying, out);
    if (rc == 0)
        rc = describe_run(verifying);
    if (rc != 0)
        return rc;
    refuse_dirty(verifying);
    if (verifying->run.verdict != TD_OK) {
        refuse(verifying);
    } else {
        const struct td_collection_config *collection =
            td_config_collection(verifying->app->config, verifying->run.collection);
        rc = read_members(verifying, collection);
        if (rc == 0)
            rc = record_members(verifying);
        judge_result(verifying, rc);
        td_progress_free(verifying->engine.progress);
        td_engine_free(&verifying->engine);
    }
    verifying->run.ended = td_wall_seconds();
    if (verifying->run.exit != TD_EXIT_OK && verifying->run.reason == NULL)
        verifying->run.reason = td_notify_sentence(verifying->ledger, &verifying->run);
    rc = td_notify_end(verifying->app, verifying->ledger, &verifying->run, &verifying->docking.seen, false,
                       verifying->err);
    if (rc == 0)
        rc = td_notify_print(verifying->app, verifying->ledger, &verifying->run, safe_sentence(verifying, &safe), out,
                             verifying->err);
    return rc != 0 ? rc : verifying->run.exit;
}

static bool is_asked_for(const struct verifying *verifying, const char *collection) {
    const struct td_judgement *judgement = &verifying->docking.judgement;
    if (judgement->verdict == TD_EMPTY)
        return false;
    return collection == NULL || judgement->pair == NULL || strcmp(judgement->pair->collection, collection) == 0;
}

int td_verify_dock(const struct td_app *app, struct td_ledger *ledger, const struct td_dock_config *dock,
                   const char *collection, bool *found, struct td_run *run, struct td_buf *out, struct td_error *err) {
    struct verifying verifying = {.app = app, .ledger = ledger, .err = err};
    td_docking_init(&verifying.docking, app->config, dock);
    int rc = td_docking_lock(&verifying.docking, err);
    if (rc == 0) {
        struct td_policy policy = td_docking_policy(&verifying.docking, false);
        rc = td_docking_look(&verifying.docking, ledger, TD_LOOK_ONCE, &policy, err);
    }
    *found = rc == 0 && is_asked_for(&verifying, collection);
    if (*found)
        rc = verify_docked(&verifying, out);
    td_docking_close(&verifying.docking);
    *run = verifying.run;
    return rc;
}

struct verifying_all {
    const struct td_app *app;
    struct td_ledger *ledger;
    const char *collection;
    bool any; /* disks were found to read, or to refuse */
};

static int visit_dock(void *ctx, const struct td_dock_config *dock, struct td_buf *said, struct td_error *err) {
    struct verifying_all *all = ctx;
    struct td_run run;
    bool found = false;
    int rc = td_verify_dock(all->app, all->ledger, dock, all->collection, &found, &run, said, err);
    free(run.reason);
    all->any = all->any || found;
    return rc;
}

int td_command_verify(const struct td_app *app, const char *collection, struct td_buf *out, struct td_error *err) {
    struct verifying_all all = {.app = app, .collection = collection};
    struct td_docks docks = {.app = app, .out = out, .err = err};
    int rc = td_need_dock(app->config, err);
    if (rc == 0 && collection != NULL)
        rc = td_need_collection(app->config, collection, err);
    if (rc == 0)
        rc = td_ledger_open(app->config->ledger, &all.ledger, err);
    if (rc != 0)
        return rc;
    td_docks_visit(&docks, visit_dock, &all);
    rc = td_docks_end(&docks);
    if (rc == TD_EXIT_OK && !all.any && !td_stop_asked(app->stop))
        rc = td_notify_nothing_docked(app, all.ledger, "verify", collection, out, err);
    if (all.any) { /* mailing may be slow: the docks are free by now, and the words are out */
        if (app->flush != NULL)
            app->flush(app->output, out);
        td_notify_deliver(app, all.ledger);
    }
    td_ledger_close(all.ledger);
    return rc;
}
