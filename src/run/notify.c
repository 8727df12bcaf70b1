#include "twindock/run/notify.h"

#include "found.h"

#include "twindock/base/clock.h"
#include "twindock/report/document.h"

#include <stdio.h>

#define SHOWN 20 /* incidents printed in a terminal */

int td_notify_print(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, const char *safe,
                    struct td_buf *out, struct td_error *err) {
    struct td_found incidents;
    int rc = td_found_load(ledger, run->id, &incidents, err);
    struct td_report report = {run, incidents.list, incidents.count, safe};
    if (rc == 0 && app->json) {
        struct td_json *json = td_report_json(&report);
        td_json_print(json, out);
        td_json_free(json);
    } else if (rc == 0) {
        td_report_print(&report, SHOWN, out);
    }
    td_found_free(&incidents);
    return rc;
}

int td_notify_nothing_docked(const struct td_app *app, struct td_ledger *ledger, const char *command,
                             const char *collection, struct td_buf *out, struct td_error *err) {
    char sentence[256];
    struct td_run run = {
        .verdict = TD_EMPTY,
        .result = TD_RESULT_REFUSED,
        .exit = TD_EXIT_REFUSED,
        .started = td_wall_seconds(),
        .reason = sentence,
    };
    if (collection != NULL)
        snprintf(run.collection, sizeof run.collection, "%s", collection);
    if (collection != NULL)
        snprintf(sentence, sizeof sentence, "Collection %s is not docked. Put its pair of disks into the dock.",
                 collection);
    else
        snprintf(sentence, sizeof sentence,
                 "Nothing is docked. Put a pair of disks into the dock and run twindock again.");
    snprintf(run.command, sizeof run.command, "%s", command);
    run.ended = run.started;
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run.state[side], sizeof run.state[side], "absent");
    int rc = td_notify_print(app, ledger, &run, NULL, out, err);
    return rc != 0 ? rc : TD_EXIT_REFUSED;
}

char *td_notify_sentence(struct td_ledger *ledger, const struct td_run *run) {
    struct td_found incidents;
    struct td_buf text = {0};
    struct td_error ignored;
    if (td_found_load(ledger, run->id, &incidents, &ignored) == 0) {
        struct td_report report = {run, incidents.list, incidents.count, NULL};
        td_report_sentence(&report, &text);
    }
    td_found_free(&incidents);
    return td_buf_take(&text);
}

struct previous {
    int64_t pair;
    int exit;
};

static int note_exit(void *ctx, const struct td_info_fact *fact) {
    struct previous *previous = ctx;
    if (fact->pair.id == previous->pair && fact->last.id != 0)
        previous->exit = fact->last.exit;
    return 0;
}

int td_notify_previous_exit(struct td_ledger *ledger, int64_t pair) {
    struct previous previous = {.pair = pair, .exit = TD_EXIT_OK};
    return td_ledger_info(ledger, note_exit, &previous, NULL) == 0 ? previous.exit : TD_EXIT_OK;
}
