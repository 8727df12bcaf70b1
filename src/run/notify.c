#include "twindock/run/notify.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/platform/mailer.h"
#include "twindock/report/document.h"
#include "twindock/report/mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED 1000 /* incidents kept in memory for a text; JSON lists as many */
#define SHOWN 20    /* incidents printed in a terminal */

struct incidents {
    struct td_incident *list;
    size_t count;
};

static int collect(void *ctx, const struct td_incident *incident) {
    struct incidents *incidents = ctx;
    if (incidents->count == LISTED)
        return 0;
    struct td_incident *kept = &incidents->list[incidents->count];
    *kept = *incident;
    kept->path = strdup(incident->path != NULL ? incident->path : "");
    kept->detail = incident->detail != NULL ? strdup(incident->detail) : NULL;
    if (kept->path == NULL || (incident->detail != NULL && kept->detail == NULL))
        return -ENOMEM;
    incidents->count++;
    return 0;
}

static int load(struct td_ledger *ledger, int64_t run, struct incidents *out, struct td_error *err) {
    *out = (struct incidents){.list = calloc(LISTED, sizeof *out->list)};
    if (out->list == NULL)
        return td_fail(err, ENOMEM, "collecting what was found");
    return run == 0 ? 0 : td_ledger_incidents(ledger, run, collect, out, err);
}

static void unload(struct incidents *incidents) {
    for (size_t i = 0; i < incidents->count; i++) {
        free((char *)(uintptr_t)incidents->list[i].path);
        free((char *)(uintptr_t)incidents->list[i].detail);
    }
    free(incidents->list);
}

int td_notify_print(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, const char *safe,
                    struct td_buf *out, struct td_error *err) {
    struct incidents incidents;
    int rc = load(ledger, run->id, &incidents, err);
    struct td_report report = {run, incidents.list, incidents.count, safe};
    if (rc == 0 && app->json) {
        struct td_json *json = td_report_json(&report);
        td_json_print(json, out);
        td_json_free(json);
    } else if (rc == 0) {
        td_report_print(&report, SHOWN, out);
    }
    unload(&incidents);
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
    struct incidents incidents;
    struct td_buf text = {0};
    struct td_error ignored;
    if (load(ledger, run->id, &incidents, &ignored) == 0) {
        struct td_report report = {run, incidents.list, incidents.count, NULL};
        td_report_sentence(&report, &text);
    }
    unload(&incidents);
    return td_buf_take(&text);
}

static int deliver(const struct td_app *app, struct td_ledger *ledger, int64_t run, const struct td_mail *mail,
                   struct td_error *err) {
    TD_AUTOBUF struct td_buf message = {0}, subject = {0};
    td_mail_compose(mail, &message, &subject);
    int rc = td_mailer_send(app->config->sendmail, app->config->mail_to, message.data, message.len, TD_MAILER_TIMEOUT_S,
                            err);
    if (ledger != NULL)
        td_ledger_mail(ledger, run, td_buf_text(&subject), rc == 0 ? NULL : err->text, NULL);
    return rc;
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

static bool mail_wanted(const struct td_app *app) {
    return app->config->mail_to != NULL && app->config->mail_to[0] != '\0';
}

static bool is_due(const struct td_config *config, const struct td_run *run) {
    if (run->result == TD_RESULT_REFUSED)
        return td_verdict_table[run->verdict].mails;
    if (run->exit > TD_EXIT_SIGNAL)
        return false; /* somebody stopped it and knows */
    if (config->mail_on == TD_MAIL_ALWAYS || run->exit != TD_EXIT_OK)
        return true;
    return config->mail_on == TD_MAIL_CHANGE && run->previous_exit != TD_EXIT_OK; /* all is well again */
}

void td_notify_mail(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run) {
    struct incidents incidents;
    struct td_error err = {0};
    TD_AUTOBUF struct td_buf info = {0};
    if (!mail_wanted(app) || !is_due(app->config, run))
        return;
    if (load(ledger, run->id, &incidents, &err) == 0 && td_info_text(app, ledger, &info, &err) == 0) {
        struct td_report report = {run, incidents.list, incidents.count, NULL};
        struct td_mail mail = {
            .to = app->config->mail_to,
            .host = run->host,
            .when = td_wall_seconds(),
            .report = &report,
            .info = td_buf_text(&info),
        };
        deliver(app, ledger, run->id, &mail, &err);
    }
    unload(&incidents);
}

int td_notify_send(const struct td_app *app, struct td_ledger *ledger, const char *subject, const char *body,
                   struct td_error *err) {
    char host[64] = "";
    TD_AUTOBUF struct td_buf info = {0};
    if (!mail_wanted(app))
        return td_fail_text(err, ENOENT, "%s: mail_to is empty, so nobody is mailed", app->config->file);
    gethostname(host, sizeof host - 1);
    int rc = ledger != NULL ? td_info_text(app, ledger, &info, err) : 0;
    if (rc != 0)
        return rc;
    struct td_mail mail = {
        .to = app->config->mail_to,
        .host = host,
        .when = td_wall_seconds(),
        .subject = subject,
        .body = body,
        .info = td_buf_text(&info),
    };
    return deliver(app, ledger, 0, &mail, err);
}

int td_command_mail_test(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct td_error ignored = {0};
    if (td_ledger_open_reader(app->config->ledger, &ledger, &ignored) != 0)
        ledger = NULL;
    int rc =
        td_notify_send(app, ledger, "a test",
                       "This is the way a failure would reach you. Nothing is wrong; nothing needs to be done.", err);
    td_ledger_close(ledger);
    if (rc == 0)
        td_buf_printf(out, "A mail to %s was handed to %s. See whether it arrives.\n", app->config->mail_to,
                      app->config->sendmail);
    return rc == 0 ? 0 : rc == -ENOENT ? TD_EXIT_CONFIG : TD_EXIT_INTERNAL;
}
