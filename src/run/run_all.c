/* `run`: every dock, or the one that a disk was put into. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/dock/observe.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/backup.h"
#include "twindock/run/commands.h"
#include "twindock/run/docks.h"
#include "twindock/run/need.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS (10 * 60 * 1000) /* another dock's run may hold the ledger while a disk of its is slow */

static bool concerns(const struct td_run_request *request, const struct td_dock_config *dock) {
    return request->device == NULL || td_dock_has_node(dock, request->device);
}

/* A machine on which nothing is configured yet is left in peace by what starts by itself. */
static int check_needs(const struct td_app *app, const struct td_run_request *request, struct td_error *err) {
    bool by_hand = !request->nightly && request->device == NULL;
    int rc = by_hand ? td_need_dock(app->config, err) : 0;
    for (size_t i = 0; i < request->collection_count && rc == 0; i++)
        rc = td_need_collection(app->config, request->collections[i], err);
    return rc;
}

struct running {
    const struct td_app *app;
    const struct td_run_request *request;
    struct td_ledger *ledger;
    struct td_run *runs; /* `count` of them were made */
    size_t count;
    bool busy; /* a dock was left to the run that has it */
};

static int run_dock(void *ctx, const struct td_dock_config *dock, struct td_buf *said, struct td_error *err) {
    struct running *running = ctx;
    bool here = false;
    if (!concerns(running->request, dock))
        return TD_EXIT_OK;
    int rc = td_backup_dock(running->app, running->request, running->ledger, dock, &here,
                            &running->runs[running->count], said, err);
    running->count += here;
    if (rc != -EALREADY || !running->request->nightly)
        return rc;
    running->busy = true; /* a run that is already going is left alone */
    return TD_EXIT_OK;
}

/* --- what was not there ------------------------------------------------------------------------------------------ */

static bool was_run(const struct running *running, const char *collection) {
    for (size_t i = 0; i < running->count; i++)
        if (strcmp(running->runs[i].collection, collection) == 0)
            return true;
    return false;
}

/* Disks that were refused before it was clear whose they are may be those that were asked for. */
static bool any_unclear(const struct running *running) {
    return was_run(running, "");
}

static void add_absent(struct td_docks *docks, struct td_ledger *ledger, const char *collection) {
    TD_AUTOBUF struct td_buf said = {0};
    struct td_error err = {0};
    int rc = td_notify_nothing_docked(docks->app, ledger, "run", collection, &said, &err);
    td_docks_add(docks, rc, &said, &err);
}

static bool is_named_before(const struct td_run_request *request, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (strcmp(request->collections[i], request->collections[index]) == 0)
            return true;
    return false;
}

/* A run by hand answers for all that it was asked for. */
static void add_all_absent(struct td_docks *docks, const struct running *running) {
    const struct td_run_request *request = running->request;
    bool by_hand = !request->nightly && request->device == NULL;
    if (!by_hand || docks->failed != 0 || any_unclear(running) || td_stop_asked(running->app->stop))
        return;
    if (request->collection_count == 0 && running->count == 0)
        add_absent(docks, running->ledger, NULL);
    for (size_t i = 0; i < request->collection_count; i++)
        if (!was_run(running, request->collections[i]) && !is_named_before(request, i))
            add_absent(docks, running->ledger, request->collections[i]);
}

/* For --json: why what started by itself has nothing to report, which is no failure. */
static void explain_silence(const struct running *running, struct td_error *err) {
    if (running->busy)
        td_fail_text(err, EALREADY, "another run is going on, and is left alone");
    else
        td_fail_text(err, ENODEV, "nothing is docked");
}

/* Mailing may be slow: by now the docks are free, and what was said has been given out. */
static void mail_about(struct running *running, bool overdue, struct td_buf *out) {
    const struct td_app *app = running->app;
    if (app->flush != NULL)
        app->flush(app->output, out);
    for (size_t i = 0; i < running->count; i++)
        free(running->runs[i].reason);
    if (overdue)
        td_notify_overdue(app, running->ledger);
    if (!running->request->dry_run)
        td_notify_deliver(app, running->ledger);
}

static bool is_in_slot(const struct td_app *app, const struct td_run_request *request) {
    for (size_t i = 0; i < app->config->dock_count; i++)
        if (concerns(request, &app->config->docks[i]))
            return true;
    return false;
}

static int run_docks(struct running *running, struct td_buf *out, struct td_error *err) {
    struct td_docks docks = {.app = running->app, .out = out, .err = err};
    td_docks_visit(&docks, run_dock, running);
    add_all_absent(&docks, running);
    int rc = td_docks_end(&docks);
    if (rc == TD_EXIT_OK && docks.reports == 0)
        explain_silence(running, err);
    return rc;
}

int td_command_run(const struct td_app *app, const struct td_run_request *request, struct td_buf *out,
                   struct td_error *err) {
    struct running running = {.app = app, .request = request};
    int rc = check_needs(app, request, err);
    if (rc != 0)
        return rc;
    if (request->device != NULL && !is_in_slot(app, request)) { /* it is none of our business */
        td_fail_text(err, ENODEV, "%s is in no slot of a dock", request->device);
        return TD_EXIT_OK;
    }
    if (app->config->finish_by >= 0) {
        int64_t now = td_wall_seconds();
        app->stop->deadline_ns = td_boot_ns() + (td_next_clock(now, app->config->finish_by) - now) * 1000000000;
    }
    rc = td_ledger_open(app->config->ledger, &running.ledger, err);
    running.runs = calloc(app->config->dock_count + 1, sizeof *running.runs);
    if (rc == 0 && running.runs == NULL)
        rc = td_fail(err, ENOMEM, "beginning a run");
    if (rc == 0)
        td_ledger_patience(running.ledger, PATIENCE_MS);
    if (rc == 0)
        rc = run_docks(&running, out, err);
    bool left = rc == -EALREADY && running.count == 0; /* the run that has the dock delivers the mails when it ends */
    if (running.runs != NULL && running.ledger != NULL && !left)
        mail_about(&running, rc >= 0 && request->nightly, out);
    free(running.runs);
    td_ledger_close(running.ledger);
    return rc;
}
