/* `run`: every dock, or the one that a disk was put into. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/dock/observe.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/backup.h"
#include "twindock/run/commands.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool concerns(const struct td_run_request *request, const struct td_dock_config *dock) {
    return request->device == NULL || td_dock_has_node(dock, request->device);
}

/* Nothing was there to do: say so as a refusal, without a mail. */
static int nothing_docked(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                          struct td_buf *out, struct td_error *err) {
    char sentence[256] = "Nothing is docked. Put a pair of disks into the dock and run twindock again.";
    if (request->collection_count > 0)
        snprintf(sentence, sizeof sentence, "Collection %s is not docked. Put its pair of disks into the dock.",
                 request->collections[0]);
    struct td_run run = {
        .command = "run",
        .verdict = TD_EMPTY,
        .result = TD_RESULT_REFUSED,
        .exit = TD_EXIT_REFUSED,
        .started = td_wall_seconds(),
        .reason = sentence,
    };
    run.ended = run.started;
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run.state[side], sizeof run.state[side], "absent");
    int rc = td_notify_print(app, ledger, &run, NULL, out, err);
    return rc != 0 ? rc : TD_EXIT_REFUSED;
}

static int mail_overdue(const struct td_app *app, struct td_ledger *ledger) {
    TD_AUTOBUF struct td_buf body = {0};
    struct td_error err = {0};
    if (td_info_overdue(app, ledger, &body, &err) != 0 || body.len == 0)
        return 0;
    return td_notify_send(app, ledger, "a backup is overdue", body.data, &err);
}

static int check_names(const struct td_app *app, const struct td_run_request *request, struct td_error *err) {
    for (size_t i = 0; i < request->collection_count; i++)
        if (td_config_collection(app->config, request->collections[i]) == NULL) {
            td_fail_text(err, EINVAL, "%s has no section [collection %s]", app->config->file, request->collections[i]);
            return TD_EXIT_USAGE;
        }
    return 0;
}

/* Several JSON objects become one. */
static void join_json(const struct td_app *app, struct td_buf *all, size_t *ran, const struct td_buf *one) {
    if (app->json && *ran == 1) {
        TD_AUTOBUF struct td_buf first = {0};
        td_buf_add(&first, td_buf_text(all), all->len);
        td_buf_clear(all);
        td_buf_printf(all, "{\"runs\": [%s", td_buf_text(&first));
    }
    if (app->json && *ran >= 1)
        td_buf_puts(all, ",");
    td_buf_add(all, td_buf_text(one), one->len);
    (*ran)++;
}

static int run_docks(const struct td_app *app, const struct td_run_request *request, struct td_ledger *ledger,
                     size_t *ran, struct td_buf *out, struct td_error *err) {
    int worst = TD_EXIT_OK;
    for (size_t i = 0; i < app->config->dock_count && !td_stop_asked(app->stop); i++) {
        TD_AUTOBUF struct td_buf said = {0};
        bool here = false;
        if (!concerns(request, &app->config->docks[i]))
            continue;
        int rc = td_backup_dock(app, request, ledger, &app->config->docks[i], &here, &said, err);
        if (rc == -EBUSY && request->nightly)
            continue; /* a run that is already going is left alone */
        if (rc < 0)
            return rc;
        if (here)
            join_json(app, out, ran, &said);
        worst = worst == TD_EXIT_OK ? rc : td_exit_worse(worst, rc);
    }
    if (app->json && *ran > 1)
        td_buf_puts(out, "]}\n");
    return worst;
}

int td_command_run(const struct td_app *app, const struct td_run_request *request, struct td_buf *out,
                   struct td_error *err) {
    struct td_ledger *ledger = NULL;
    size_t ran = 0, docks = 0;
    int rc = check_names(app, request, err);
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
    if (rc == 0)
        rc = run_docks(app, request, ledger, &ran, out, err);
    if (rc == 0 && ran == 0 && !request->nightly && request->device == NULL)
        rc = nothing_docked(app, request, ledger, out, err);
    if (rc >= 0 && request->nightly)
        mail_overdue(app, ledger);
    td_ledger_close(ledger);
    return rc;
}
