/* `check`: identify what is docked and judge it; with --full, read it. Writes to no disk. */
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/dock/source.h"
#include "twindock/run/check_full.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"
#include "twindock/run/need.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The source's part of the verdict, for a dock that is otherwise ok. */
static int judge_source(struct td_docking *docking, struct td_buf *why, struct td_error *err) {
    struct td_judgement *judgement = &docking->judgement;
    if (judgement->verdict != TD_OK)
        return 0;
    int lacking = td_need_section(docking->config, judgement->pair->collection, err);
    if (lacking != 0)
        return lacking;
    const struct td_collection_config *collection = td_config_collection(docking->config, judgement->pair->collection);
    int source = td_source_open(collection, &docking->seen, why, err);
    if (source >= 0) {
        close(source);
        return 0;
    }
    if (source != -ENOENT)
        return source;
    judgement->verdict = TD_SOURCE_MISSING;
    judgement->detail = td_buf_text(why);
    return 0;
}

struct check_run {
    const struct td_app *app;
    const struct td_check_request *request;
    struct td_ledger *ledger;
    struct td_check *checks; /* one for each dock */
    struct td_run *runs;     /* of --full, to mail about: those with an id */
    bool read;               /* something was read in full */
};

/* Twins are read as verify reads them, once the dock is free again. Their source is not needed for that. */
static int read_twins(struct check_run *run, size_t i, struct td_error *err) {
    TD_AUTOBUF struct td_buf said = {0};
    bool found = false;
    int rc =
        td_verify_dock(run->app, run->ledger, &run->app->config->docks[i], NULL, &found, &run->runs[i], &said, err);
    if (rc < 0 || !found)
        return rc;
    run->read = true;
    if (!run->app->json)
        run->checks[i].full = td_buf_take(&said);
    else if ((run->checks[i].full_json = td_json_parse(td_buf_text(&said), said.len, err)) == NULL)
        return -err->code;
    return rc;
}

/* What cannot be read in full is judged alone, and that says why. A dock that mirrors shows one disk. */
static int cannot_read(struct check_run *run, size_t i, const struct td_docking *docking) {
    struct td_check *check = &run->checks[i];
    if (docking->seen.mode == TD_MODE_MIRROR && check->verdict != TD_EMPTY && !run->app->json)
        check->full = strdup("A dock that mirrors shows one of its two disks. Set it to show both, one by one, to have "
                             "them compared.\n");
    return TD_EXIT_REFUSED;
}

static int check_dock(struct check_run *run, size_t i, struct td_error *err) {
    TD_AUTOBUF struct td_buf why = {0};
    struct td_docking docking;
    struct td_check *check = &run->checks[i];
    td_docking_init(&docking, run->app->config, &run->app->config->docks[i]);
    int rc = td_docking_lock(&docking, err);
    if (rc == 0) {
        struct td_policy policy = td_docking_policy(&docking, false);
        rc = td_docking_look(&docking, run->ledger, TD_LOOK_ONCE, &policy, err);
    }
    if (rc == 0) {
        td_docking_judge_protection(&docking);
        rc = judge_source(&docking, &why, err);
    }
    if (rc != 0) {
        td_docking_close(&docking);
        return rc;
    }
    td_docking_check(&docking, check);
    bool readable = check->verdict == TD_OK || check->verdict == TD_SOURCE_MISSING || docking.judgement.write_protected;
    bool twins = docking.seen.mode == TD_MODE_INDIVIDUAL && readable;
    rc = check->verdict == TD_OK ? TD_EXIT_OK : TD_EXIT_REFUSED;
    if (run->request->full && td_check_holds_halves(&docking)) {
        rc = td_check_halves(run->app, run->ledger, &docking, run->request->every_block, check, &run->runs[i], err);
        run->read = true;
    } else if (run->request->full && !twins) {
        rc = cannot_read(run, i, &docking);
    }
    td_docking_close(&docking);
    return run->request->full && twins ? read_twins(run, i, err) : rc;
}

/* Reading in full is recorded; judging is not. Without a ledger there is nothing enrolled that could be read. */
static int open_ledger(const struct td_app *app, bool full, struct td_ledger **ledger, struct td_error *err) {
    int rc = td_ledger_open_reader(app->config->ledger, ledger, err);
    if (rc == -ENOENT)
        return td_ledger_open(NULL, ledger, err);
    if (rc != 0 || !full)
        return rc;
    td_ledger_close(*ledger);
    return td_ledger_open(app->config->ledger, ledger, err);
}

static void print(const struct check_run *run, size_t count, struct td_buf *out) {
    if (!run->app->json) {
        td_check_print(run->checks, count, out);
        return;
    }
    struct td_json *json = td_check_json(run->checks, count);
    td_json_print(json, out);
    td_json_free(json);
}

/* The docks are free by now, and the words are out. */
static void mail_about(const struct check_run *run, size_t count, struct td_buf *out) {
    for (size_t i = 0; i < count; i++) {
        if (run->runs[i].id == 0)
            continue;
        if (run->app->flush != NULL)
            run->app->flush(run->app->output, out);
        td_notify_deliver(run->app, run->ledger);
    }
}

static int check_docks(struct check_run *run, size_t count, struct td_buf *out, struct td_error *err) {
    size_t done = 0;
    int worst = TD_EXIT_OK, rc = 0;
    for (; rc >= 0 && rc != TD_EXIT_CONFIG && done < count && !td_stop_asked(run->app->stop); done++) {
        rc = check_dock(run, done, err);
        /* Beside a dock that was read in full, an empty one is no answer. */
        bool counts = !run->request->full || run->checks[done].verdict != TD_EMPTY;
        worst = rc > 0 && counts ? td_exit_worse(worst, rc) : worst;
    }
    if (rc >= 0 && rc != TD_EXIT_CONFIG)
        print(run, done, out);
    if (rc >= 0)
        mail_about(run, done, out);
    for (size_t i = 0; i < count; i++) {
        td_docking_check_free(&run->checks[i]);
        free(run->runs[i].reason);
    }
    if (rc >= 0 && run->request->full && !run->read && worst == TD_EXIT_OK)
        worst = TD_EXIT_REFUSED;
    return rc < 0 || rc == TD_EXIT_CONFIG ? rc : worst;
}

int td_command_check(const struct td_app *app, const struct td_check_request *request, struct td_buf *out,
                     struct td_error *err) {
    int lacking = td_need_dock(app->config, err);
    if (lacking != 0)
        return lacking;
    size_t count = app->config->dock_count;
    struct check_run run = {.app = app, .request = request};
    run.checks = calloc(count, sizeof *run.checks);
    run.runs = calloc(count, sizeof *run.runs);
    int rc = run.checks == NULL || run.runs == NULL ? td_fail(err, ENOMEM, "checking the docks")
                                                    : open_ledger(app, request->full, &run.ledger, err);
    if (rc == 0)
        rc = check_docks(&run, count, out, err);
    free(run.checks);
    free(run.runs);
    td_ledger_close(run.ledger);
    return rc;
}
