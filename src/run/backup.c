/*
 * A run: identify, verdict, raise the generation, bring up to date, prove, manifest, close, record, report.
 * Nothing above "raise the generation" writes to a disk.
 */
#include "twindock/run/backup.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/dock/source.h"
#include "twindock/platform/drive_power.h"
#include "twindock/platform/mount.h"
#include "twindock/run/need.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The newest run that the cards know of: a ledger that was restored is behind it. */
static int64_t newest_on_cards(const struct td_backup *backup) {
    int64_t newest = 0;
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_slot *slot = td_docking_slot(&backup->docking, (enum td_side)side);
        if (slot != NULL && slot->card_state == TD_CARD_READ && slot->card.last_run > newest)
            newest = slot->card.last_run;
    }
    return newest;
}

static int start_record(struct td_backup *backup, struct td_error *err) {
    struct td_run *run = &backup->run;
    const struct td_judgement *judgement = &backup->docking.judgement;
    int interrupted = 0;
    snprintf(run->command, sizeof run->command, "run");
    snprintf(run->dock, sizeof run->dock, "%s", backup->docking.dock->name);
    if (gethostname(run->host, sizeof run->host - 1) != 0)
        snprintf(run->host, sizeof run->host, "unknown");
    run->verdict = judgement->verdict;
    backup->pair = judgement->pair;
    if (backup->pair != NULL) {
        run->pair = backup->pair->id;
        snprintf(run->collection, sizeof run->collection, "%s", backup->pair->collection);
        snprintf(run->uuid, sizeof run->uuid, "%s", backup->pair->uuid);
        run->previous_exit = td_notify_previous_exit(backup->ledger, run->pair);
        if (td_ledger_run_interrupted(backup->ledger, run->pair, &interrupted, err) != 0)
            return -err->code;
        run->after_interrupted = interrupted > 0;
    }
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run->state[side], sizeof run->state[side], "%s",
                 td_docking_first_state(&backup->docking, (enum td_side)side));
    if (backup->dry_run)
        return 0;
    run->id = run->verdict == TD_OK ? newest_on_cards(backup) : 0;
    return td_ledger_run_begin(backup->ledger, run, err);
}

/* The verdict is not "ok": nothing has been written, and the sentence says what to do. */
static int refuse(struct td_backup *backup, enum td_verdict verdict, const char *detail) {
    TD_AUTOBUF struct td_buf advice = {0};
    struct td_judgement *judgement = &backup->docking.judgement;
    judgement->verdict = verdict;
    if (detail != NULL)
        judgement->detail = detail;
    td_advise(&backup->docking.seen, judgement, &advice);
    td_backup_reason(&backup->run, td_buf_text(&advice));
    backup->run.verdict = verdict;
    backup->run.result = TD_RESULT_REFUSED;
    return backup->run.exit = TD_EXIT_REFUSED;
}

static bool is_wanted(const struct td_run_request *request, const char *collection) {
    for (size_t i = 0; i < request->collection_count; i++)
        if (strcmp(request->collections[i], collection) == 0)
            return true;
    return request->collection_count == 0;
}

/* --- before the verdict ------------------------------------------------------------------------------------ */

/* An open round of proving goes on, unless its first evidence is too old to count: then a new one is begun. */
static int64_t choose_cycle(const struct td_backup *backup) {
    int64_t open = backup->pair->cycle, began = 0;
    bool recent = open != 0 && td_ledger_run_started(backup->ledger, open, &began, NULL) == 0 &&
                  began <= backup->run.started && backup->run.started - began <= backup->collection->prove_within;
    return recent ? open : backup->run.id;
}

static int prepare_engine(struct td_backup *backup, struct td_error *err) {
    struct td_engine *engine = &backup->engine;
    const struct td_collection_config *collection = backup->collection;
    int rc = td_exclude_make(collection->exclude, collection->excludes, &backup->exclude, err);
    if (rc != 0)
        return rc;
    *engine = (struct td_engine){
        .ledger = backup->ledger,
        .pair = backup->pair->id,
        .run = backup->run.id,
        .cycle = choose_cycle(backup),
        .collection = collection,
        .exclude = backup->exclude,
        .history = backup->history,
        .accept_changes = backup->request->accept_changes,
        .stop = backup->app->stop,
        .progress = backup->progress,
        .is_there = td_backup_is_there,
        .on_loss = td_backup_tell_loss,
        .ctx = backup,
    };
    engine->side[TD_SOURCE] =
        (struct td_engine_side){.root = backup->source, .store = -1, .alive = true, .from_device = true};
    for (int side = TD_A; side <= TD_B; side++)
        engine->side[side].alive = td_docking_slot(&backup->docking, (enum td_side)side) != NULL;
    td_history_name(backup->history, backup->run.id, backup->run.started);
    td_backup_connect(backup);
    backup->engine_ready = true;
    return td_engine_init(engine, err);
}

static bool braked(struct td_backup *backup, struct td_buf *why) {
    const struct td_collection_config *collection = backup->collection;
    return !backup->request->accept_changes &&
           td_brake_check(&backup->engine.brake, collection->max_delete, collection->max_change, why);
}

/* --dry-run. As JSON with the verdict that the plan would meet. */
static int show_plan(struct td_backup *backup, struct td_error *err) {
    if (!backup->app->json)
        return td_engine_show_plan(&backup->engine, &backup->plan, err);
    TD_AUTOBUF struct td_buf why = {0};
    struct td_json *json = td_json_object();
    td_json_null(json, "run");
    td_json_text(json, "command", "run");
    td_json_bool(json, "dry_run", true);
    td_json_text(json, "collection", backup->run.collection);
    td_json_text(json, "pair", backup->run.uuid);
    td_json_text(json, "verdict", td_verdict_name(braked(backup, &why) ? TD_BRAKE : TD_OK));
    td_json_text(json, "reason", why.len > 0 ? why.data : backup->run.reason);
    int rc = td_engine_list_plan(&backup->engine, json, err);
    td_json_print(json, &backup->plan);
    td_json_free(json);
    return rc;
}

static int look_and_plan(struct td_backup *backup, unsigned sides, struct td_error *err) {
    int rc = td_backup_mount_to_look(backup, err);
    if (rc == 0) {
        td_backup_connect(backup);
        rc = td_engine_scan(&backup->engine, sides, err);
    }
    if (rc == 0)
        rc = td_engine_plan(&backup->engine, err);
    if (rc == 0 && backup->dry_run && backup->engine.exit == TD_EXIT_MEMBER_LOST) {
        backup->run.exit = TD_EXIT_MEMBER_LOST;
        td_backup_explain_loss(backup);
    }
    if (rc == 0 && backup->dry_run)
        rc = show_plan(backup, err);
    for (int side = TD_A; side <= TD_B; side++) {
        int closed = td_docking_unmount(&backup->docking, (enum td_side)side, rc == 0 ? err : NULL);
        rc = rc != 0 ? rc : closed;
    }
    td_backup_connect(backup);
    return rc;
}

/* A card behind what the ledger has confirmed on this very member: an older state of the disk, or a copy of it, was put
 * back. What was proven was proven of another. */
static int forget_older_states(struct td_backup *backup, struct td_error *err) {
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        const struct td_slot *slot = td_docking_slot(&backup->docking, (enum td_side)side);
        const struct td_member *member = &backup->pair->members[side - TD_A];
        if (slot != NULL && slot->card_state == TD_CARD_READ && slot->card.generation < member->generation)
            rc = td_ledger_forget_proofs(backup->ledger, backup->pair->id, (enum td_side)side, err);
    }
    return rc;
}

/* --accept-changes took the brake off: who did it, and what for, must be found when it turns out to have been wrong. */
static int record_acceptance(struct td_backup *backup, struct td_error *err) {
    const struct td_collection_config *collection = backup->collection;
    TD_AUTOBUF struct td_buf why = {0}, text = {0};
    if (!td_brake_check(&backup->engine.brake, collection->max_delete, collection->max_change, &why))
        return 0;
    const char *sudo = getenv("SUDO_USER");
    struct passwd *user = getpwuid(getuid());
    td_buf_printf(&text, "%s (uid %ju): %s",
                  sudo != NULL   ? sudo
                  : user != NULL ? user->pw_name
                                 : "?",
                  (uintmax_t)getuid(), td_buf_text(&why));
    return td_ledger_run_accepted(backup->ledger, backup->run.id, text.data, err);
}

/* Everything up to the verdict. 0: ok and planned; an exit code: refused; negative: an error. */
static int come_to_verdict(struct td_backup *backup, struct td_error *err) {
    TD_AUTOBUF struct td_buf why = {0};
    bool dirty = false;
    unsigned all = TD_SIDE_BIT(TD_SOURCE) | TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B);
    td_docking_judge_protection(&backup->docking);
    if (backup->docking.judgement.verdict != TD_OK)
        return refuse(backup, backup->docking.judgement.verdict, NULL);
    backup->source = td_backup_source(backup, &why, err);
    if (backup->source == -ENOENT)
        return refuse(backup, TD_SOURCE_MISSING, td_buf_text(&why));
    if (backup->source < 0)
        return backup->source;
    int rc = backup->dry_run ? 0 : forget_older_states(backup, err);
    if (rc == 0)
        rc = prepare_engine(backup, err);
    if (rc == 0)
        rc = look_and_plan(backup, all, err);
    if (rc != 0)
        return rc;
    if (braked(backup, &why)) {
        td_buf_printf(
            &why,
            " To see what, use `twindock run --dry-run`. If it is meant, use `twindock run --accept-changes`; if not, "
            "put the source of %s right.",
            backup->collection->name);
        return refuse(backup, TD_BRAKE, td_buf_text(&why));
    }
    if (backup->dry_run)
        return 0;
    rc = record_acceptance(backup, err);
    if (rc == 0)
        rc = td_backup_preen(backup, &dirty, &why, err);
    if (rc == 0 && why.len > 0)
        return refuse(backup, TD_UNCLEAN, td_buf_text(&why));
    if (rc == 0 && dirty)
        rc = look_and_plan(backup, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), err);
    return rc;
}

/* --- after the verdict --------------------------------------------------------------------------------------- */

/* The whole of the work on the trees, while there is a member to work on. -ECANCELED when a signal ended it. */
static int work(struct td_backup *backup, struct td_error *err) {
    struct td_engine *engine = &backup->engine;
    int rc = td_engine_apply(engine, err);
    const struct td_counts *counts = &engine->counts;
    if (rc == 0 && counts->copied + counts->renamed + counts->deleted > 0) /* the proof may take days */
        rc = td_backup_manifests(backup, err);
    if (rc == 0 && td_engine_members(engine) != 0)
        rc = td_engine_prove(engine, TD_SIDE_BIT(TD_SOURCE) | td_engine_members(engine), err);
    if (rc == 0 && td_engine_members(engine) != 0)
        rc = td_engine_settle(engine, true, err);
    if (rc == 0 && engine->accept_changes) /* of what came to light since the plan, too */
        rc = record_acceptance(backup, err);
    if (rc == 0 && td_engine_members(engine) != 0 && !engine->late)
        rc = td_engine_prove_history(engine, true, err);
    if (rc == 0)
        rc = td_engine_tell_repairs(engine, err);
    if (rc == 0 && td_engine_members(engine) != 0)
        rc = td_engine_directories(engine, err);
    return rc;
}

/* What each member has come to, and whether the proof cycle is at its end. */
static int take_stock(struct td_backup *backup, bool completed, struct td_error *err) {
    struct td_engine *engine = &backup->engine;
    uint64_t left_all = 0, copies = 0, bytes = 0;
    for (int side = TD_A; side <= TD_B; side++) {
        char *state = backup->run.state[side];
        size_t size = sizeof backup->run.state[side];
        if (td_docking_slot(&backup->docking, (enum td_side)side) == NULL)
            continue; /* absent */
        int rc =
            td_ledger_unproven(backup->ledger, engine->pair, TD_SIDE_BIT(side), engine->cycle, &copies, &bytes, err);
        if (rc != 0)
            return rc;
        backup->proven[side] = engine->side[side].alive && completed && copies == 0;
        if (!engine->side[side].alive)
            snprintf(state, size, "%s", engine->full[side] ? "full" : "lost");
        else
            snprintf(state, size, "%s", backup->proven[side] || (completed && !engine->late) ? "ok" : "unproven");
        left_all += engine->side[side].alive ? copies : 0;
    }
    engine->counts.left = left_all;
    bool cycle_over = completed && !engine->late;
    return td_ledger_set_cycle(backup->ledger, engine->pair, cycle_over ? 0 : engine->cycle, err);
}

static int record_members(struct td_backup *backup, struct td_error *err) {
    int64_t now = td_wall_seconds();
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++)
        rc = td_ledger_member_state(backup->ledger, backup->pair->members[side - TD_A].id, backup->run.state[side],
                                    backup->proven[side] ? now : 0, err);
    return rc;
}

static int note_space(struct td_backup *backup, struct td_error *err) {
    uint64_t least = UINT64_MAX, used = 0;
    for (int side = TD_A; side <= TD_B; side++) {
        uint64_t total, available;
        if (backup->docking.mounted[side].root < 0 ||
            td_mount_space(backup->docking.mounted[side].root, &total, &available, NULL) != 0 || available >= least)
            continue;
        least = available;
        used = total - available;
    }
    return least == UINT64_MAX ? 0 : td_ledger_space(backup->ledger, backup->pair->id, used, least, err);
}

/* Unmount; a member that cannot be synced or does not let go was not written for certain. */
static void close_members(struct td_backup *backup) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        bool written = backup->docking.mounted[side].root >= 0;
        int rc = td_docking_unmount(&backup->docking, (enum td_side)side, &error);
        bool stuck = rc != 0;
        if (rc == 0 && written)
            rc = td_drive_flush(&td_docking_slot(&backup->docking, (enum td_side)side)->disk, &error);
        if (rc == 0)
            continue;
        td_engine_lose(&backup->engine, (enum td_side)side, error.text);
        backup->stuck[side] = stuck && td_docking_is_there(&backup->docking, (enum td_side)side);
        snprintf(backup->run.state[side], sizeof backup->run.state[side], "lost");
        backup->proven[side] = false;
    }
}

static void name_result(struct td_backup *backup, int rc) {
    struct td_run *run = &backup->run;
    struct td_engine *engine = &backup->engine;
    run->counts = engine->counts;
    run->exit = engine->exit;
    if (engine->held_back.len > 0)
        td_backup_reason(run, td_buf_text(&engine->held_back));
    if (rc == -ECANCELED) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = TD_EXIT_SIGNAL + atomic_load(&backup->app->stop->signal);
    } else if (rc != 0) {
        run->result = TD_RESULT_FAILED;
        run->exit = TD_EXIT_INTERNAL;
    } else if (run->exit == TD_EXIT_MEMBER_LOST) {
        run->result = TD_RESULT_FAILED;
    } else if (engine->left_to_copy > 0) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = td_exit_worse(run->exit, TD_EXIT_UNREADABLE);
        td_backup_out_of_time(backup);
    } else {
        run->result = engine->late ? TD_RESULT_DONE_UNPROVEN : TD_RESULT_DONE;
    }
}

static int write_and_prove(struct td_backup *backup, struct td_error *err) {
    int rc = td_backup_begin(backup, err);
    if (rc == 0)
        rc = td_ledger_set_cycle(backup->ledger, backup->pair->id, backup->engine.cycle, err);
    if (rc == 0)
        rc = work(backup, err);
    td_engine_tick(&backup->engine, true, NULL); /* what is done stays, whatever ended it */
    return rc;
}

static int carry_out(struct td_backup *backup, struct td_error *err) {
    td_backup_mount_for_writing(backup);
    int rc = td_engine_members(&backup->engine) != 0 ? write_and_prove(backup, err) : 0;
    if (rc == 0 || rc == -ECANCELED) {
        bool completed = rc == 0 && td_engine_members(&backup->engine) != 0;
        int stock = take_stock(backup, completed, err);
        rc = rc != 0 ? rc : stock;
    }
    td_engine_note(&backup->engine); /* a stop is told before the disks are closed */
    name_result(backup, rc);         /* as far as it is known: for the ledger's copy */
    if (rc == 0)
        rc = td_backup_finish(backup, err);
    else if (rc == -ECANCELED)
        td_backup_manifests(backup, NULL); /* whoever takes the disk away now has true checksums */
    note_space(backup, NULL);
    td_progress_clear(backup->engine.progress);
    close_members(backup);
    backup->closed = true;
    name_result(backup, rc);
    if (rc == 0)
        td_backup_explain_loss(backup);
    record_members(backup, NULL);
    td_backup_eject(backup);
    return rc == -ECANCELED ? 0 : rc;
}

/* --- the whole ------------------------------------------------------------------------------------------------ */

static void tear_down(struct td_backup *backup) {
    if (backup->engine_ready)
        td_engine_free(&backup->engine);
    td_progress_free(backup->progress);
    td_docking_close(&backup->docking);
    td_exclude_free(backup->exclude);
    if (backup->source >= 0)
        close(backup->source);
    td_buf_free(&backup->plan);
    free(backup->run.reason);
}

/* Judge and work; what goes wrong for reasons of our own is recorded like everything else. */
static int back_up(struct td_backup *backup, struct td_error *err) {
    struct td_run *run = &backup->run;
    run->started = td_wall_seconds();
    backup->progress = td_progress_new(STDERR_FILENO, backup->request->nightly); /* cron mails what it reads there */
    int rc = start_record(backup, err);
    if (rc != 0)
        return rc;
    td_progress_name(backup->progress, run->collection, run->dock);
    if (backup->collection == NULL && run->verdict == TD_OK) {
        run->exit = td_need_section(backup->app->config, run->collection, err);
        rc = -EINVAL;
    } else {
        rc = come_to_verdict(backup, err);
        if (rc == 0 && !backup->dry_run)
            rc = carry_out(backup, err);
    }
    if (rc == -ECANCELED) {
        name_result(backup, rc);
        rc = 0;
    }
    if (rc < 0 && !td_backup_blame_pulled(backup)) {
        run->result = TD_RESULT_FAILED;
        run->exit = run->exit == TD_EXIT_CONFIG ? run->exit : TD_EXIT_INTERNAL;
        td_backup_reason(run, err->text);
    }
    run->ended = td_wall_seconds();
    return 0;
}

int td_backup_dock(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                   const struct td_dock_config *dock, bool *ran, struct td_run *finished, struct td_buf *out,
                   struct td_error *err) {
    struct td_backup backup = {.app = app, .request = request, .ledger = ledger, .source = -1};
    enum td_look look = request->settled ? TD_LOOK_NOW : request->device != NULL ? TD_LOOK_SETTLED : TD_LOOK_ONCE;
    backup.dry_run = request->dry_run;
    td_docking_init(&backup.docking, app->config, dock);
    *ran = false;
    *finished = (struct td_run){0};
    int rc = td_docking_lock(&backup.docking, err);
    if (rc == 0) {
        struct td_policy policy = td_docking_policy(&backup.docking, request->accept_ahead);
        rc = td_docking_look(&backup.docking, ledger, look, &policy, err);
    }
    const struct td_judgement *judgement = &backup.docking.judgement;
    bool to_do = rc == 0 && judgement->verdict != TD_EMPTY;
    if (to_do && judgement->pair != NULL) {
        to_do = is_wanted(request, judgement->pair->collection);
        backup.collection = td_config_collection(app->config, judgement->pair->collection);
    }
    if (to_do) {
        *ran = true;
        rc = back_up(&backup, err);
        int said = rc == 0 ? td_backup_report(&backup, out, err) : rc;
        rc = said != 0 ? said : backup.run.exit;
        *finished = backup.run;
        backup.run.reason = NULL; /* goes with it */
    }
    tear_down(&backup);
    return rc;
}
