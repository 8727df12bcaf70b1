/*
 * `mail-failure`: what the service's OnFailure= unit calls when the program ended without a word of its own. It must
 * work when little else does: without a configuration it mails to root, without a ledger or a log it leaves them out.
 */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/ledger/ledger.h"
#include "twindock/platform/process.h"
#include "twindock/run/commands.h"
#include "twindock/run/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINES "--lines=20"
#define LOG_TIMEOUT_S 10
#define TOLD_S 300 /* a run ends in the ledger, then mails, then the unit fails */

/* The id of the start that failed, which systemd hands to an OnFailure= unit (since its version 251). */
static const char *failed_start(void) {
    const char *id = getenv("MONITOR_INVOCATION_ID");
    return id != NULL && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32 ? id : NULL;
}

/* What the unit has said, and systemd about the unit; without older starts where that can be told. */
static void add_log(const char *unit, struct td_buf *body) {
    TD_AUTOBUF struct td_buf said = {0}, about = {0}, log = {0};
    struct td_error ignored;
    const char *id = failed_start();
    td_buf_printf(&said, id != NULL ? "_SYSTEMD_INVOCATION_ID=%s" : "--unit=%s", id != NULL ? id : unit);
    td_buf_printf(&about, "INVOCATION_ID=%s", id != NULL ? id : "");
    const char *const argv[] = {
        "journalctl", "--boot", LOG_LINES, "--no-pager", "--quiet", "--output=cat", said.data, id != NULL ? "+" : NULL,
        about.data,   NULL};
    const struct td_process journalctl = {.argv = argv, .output = &log, .timeout_s = LOG_TIMEOUT_S};
    if (td_process_run(&journalctl, &ignored) == 0 && log.len > 0)
        td_buf_printf(body, "\nThe last lines of its log:\n\n%s", log.data);
}

static void compose(const char *unit, const char *trouble, struct td_buf *body) {
    td_buf_printf(body,
                  "%s ended before twindock could mail about it: it was killed, it crashed, or it could not begin.\n\n"
                  "Every file on the disks is whole, old or new. What was not finished the next run finishes: say "
                  "`twindock run`, or take the disks out and put them in again. `twindock --info` tells which backups "
                  "are good.\n",
                  unit);
    if (trouble != NULL)
        td_buf_printf(body, "\nThe configuration cannot be read, so this mail goes to root: %s\n", trouble);
    add_log(unit, body);
}

/* An internal error in the middle of a run is recorded and mailed by the run itself: one mail for one event. */
static int note_told(void *ctx, const struct td_info_fact *fact) {
    bool *told = ctx;
    const struct td_run *last = &fact->last;
    *told = *told || (last->exit == TD_EXIT_INTERNAL && last->ended != 0 && td_wall_seconds() - last->ended < TOLD_S);
    return 0;
}

static bool was_told(struct td_ledger *ledger) {
    const char *status = getenv("MONITOR_EXIT_STATUS"); /* from systemd, as the start's id */
    bool told = false;
    if (ledger == NULL || status == NULL || strtol(status, NULL, 10) != TD_EXIT_INTERNAL)
        return false;
    return td_ledger_info(ledger, note_told, &told, NULL) == 0 && told;
}

static int load_config(const char *file, struct td_config *config, struct td_error *trouble) {
    return td_config_load(file, config, trouble) == 0 ? 0 : td_config_defaults(file, config);
}

/* To write in, so that the mail is kept when the mailer fails; but none is made. */
static struct td_ledger *open_ledger(const struct td_config *config) {
    struct td_ledger *ledger = NULL;
    struct td_error ignored = {0};
    if (td_ledger_open_reader(config->ledger, &ledger, &ignored) != 0)
        return NULL;
    td_ledger_close(ledger);
    return td_ledger_open(config->ledger, &ledger, &ignored) == 0 ? ledger : NULL;
}

int td_command_mail_failure(const struct td_app *app, const char *file, const char *unit, struct td_buf *out,
                            struct td_error *err) {
    struct td_config config = {0};
    struct td_app with = *app;
    struct td_ledger *ledger = NULL;
    struct td_error trouble = {0};
    TD_AUTOBUF struct td_buf subject = {0}, body = {0};
    int rc = load_config(file, &config, &trouble);
    with.config = &config;
    if (rc == 0)
        ledger = open_ledger(&config);
    bool wanted = rc != 0 || config.mail_to[0] != '\0', told = was_told(ledger);
    if (!wanted || told) {
        td_buf_puts(out, told ? "The run has mailed itself.\n" : "mail_to is empty, so nobody is mailed.\n");
        td_ledger_close(ledger);
        td_config_free(&config);
        return TD_EXIT_OK;
    }
    td_buf_printf(&subject, "%s failed", unit);
    compose(unit, trouble.code != 0 ? trouble.text : NULL, &body);
    if (rc == 0)
        rc = td_notify_send(&with, ledger, subject.data, body.data, true, err);
    td_ledger_close(ledger);
    td_config_free(&config);
    return rc == 0 ? TD_EXIT_OK : TD_EXIT_INTERNAL;
}
