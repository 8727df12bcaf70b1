/* `run`: every dock, or the one that a disk was put into. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/dock/observe.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/backup.h"
#include "twindock/run/commands.h"
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

/* What one dock has to report, after the others. Several JSON objects become one. */
static void add_report(const struct td_app *app, struct td_buf *all, size_t *reports, const struct td_buf *one) {
    if (one->len == 0)
        return;
    if (app->json && *reports == 1) {
        TD_AUTOBUF struct td_buf first = {0};
        td_buf_add(&first, td_buf_text(all), all->len);
        td_buf_clear(all);
        td_buf_printf(all, "{\"runs\": [%s", td_buf_text(&first));
    }
    if (app->json && *reports >= 1)
        td_buf_puts(all, ",");
    td_buf_add(all, td_buf_text(one), one->len);
    (*reports)++;
}

/* Of the failures at several docks the one that tells most is kept in `failed` and `err`, the others are told at once.
 */
static void note_failure(const struct td_app *app, int rc, const struct td_error *here, int *failed,
                         struct td_error *err) {
    int before = td_exit_of(*failed);
    bool keep = td_exit_worse(before, td_exit_of(rc)) != before;
    if (*failed < 0)
        app->complain(keep ? err : here);
    if (!keep)
        return;
    *failed = rc;
    *err = *here;
}

/* One dock after the other; the runs that were made stand in `runs`, `count` of them. What goes wrong at one dock is no
 * reason to leave out the next. The failure that is left is the caller's to tell, as long as there is no report. */
static int run_docks(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                     struct td_run *runs, size_t *count, struct td_buf *out, struct td_error *err) {
    int worst = TD_EXIT_OK, failed = 0;
    size_t reports = 0;
    for (size_t i = 0; i < app->config->dock_count && !td_stop_asked(app->stop); i++) {
        TD_AUTOBUF struct td_buf said = {0};
        struct td_error here_err = {0};
        bool here = false;
        if (!concerns(request, &app->config->docks[i]))
            continue;
        int rc = td_backup_dock(app, request, ledger, &app->config->docks[i], &here, &runs[*count], &said, &here_err);
        if (rc == -EALREADY && request->nightly)
            continue; /* a run that is already going is left alone */
        add_report(app, out, &reports, &said);
        *count += here;
        if (rc < 0)
            note_failure(app, rc, &here_err, &failed, err);
        worst = td_exit_worse(worst, td_exit_of(rc));
    }
    if (app->json && reports > 1)
        td_buf_puts(out, "]}\n");
    if (reports == 0)
        return failed < 0 ? failed : worst;
    if (failed < 0)
        app->complain(err);
    return worst;
}

/* Mailing may be slow: by now the docks are free, and what was said has been given out. */
static void mail_about(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                       struct td_run *runs, size_t count, bool overdue, struct td_buf *out) {
    if (app->flush != NULL)
        app->flush(app->output, out);
    for (size_t i = 0; i < count; i++)
        free(runs[i].reason);
    if (overdue)
        td_notify_overdue(app, ledger);
    if (!request->dry_run)
        td_notify_deliver(app, ledger);
}

int td_command_run(const struct td_app *app, const struct td_run_request *request, struct td_buf *out,
                   struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct td_run *runs = NULL;
    size_t ran = 0, docks = 0;
    int rc = check_needs(app, request, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < app->config->dock_count; i++)
        docks += concerns(request, &app->config->docks[i]);
    if (docks == 0 && request->device != NULL)
        return TD_EXIT_OK; /* a disk that is in no slot is none of our business */
    if (app->config->finish_by >= 0) {
        int64_t now = td_wall_seconds();
        app->stop->deadline_ns = td_boot_ns() + (td_next_clock(now, app->config->finish_by) - now) * 1000000000;
    }
    rc = td_ledger_open(app->config->ledger, &ledger, err);
    runs = calloc(app->config->dock_count + 1, sizeof *runs);
    if (rc == 0 && runs == NULL)
        rc = td_fail(err, ENOMEM, "beginning a run");
    if (rc == 0)
        td_ledger_patience(ledger, PATIENCE_MS);
    if (rc == 0)
        rc = run_docks(app, request, ledger, runs, &ran, out, err);
    if (rc == 0 && ran == 0 && !request->nightly && request->device == NULL)
        rc = td_notify_nothing_docked(app, ledger, "run",
                                      request->collection_count > 0 ? request->collections[0] : NULL, out, err);
    bool left = rc == -EALREADY && ran == 0; /* the run that has the dock delivers the mails when it ends */
    if (runs != NULL && ledger != NULL && !left)
        mail_about(app, request, ledger, runs, ran, rc >= 0 && request->nightly, out);
    free(runs);
    td_ledger_close(ledger);
    return rc;
}
