/* Mails: when one is due, what is in it, and how it gets to the mailer. */
#include "found.h"

#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/ledger/mails.h"
#include "twindock/platform/digest.h"
#include "twindock/platform/mailer.h"
#include "twindock/report/document.h"
#include "twindock/report/mail.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_S (12 * 3600)               /* disks put in anew are answered again after so long */
#define OVERDUE_S (20 * 3600)             /* "once a day", for a clock that starts the nightly run a bit early */
#define KEEP_S (30 * 86400)               /* what could not be told for so long is not told any more */
#define CLAIM_S (3 * TD_MAILER_TIMEOUT_S) /* a process that is at a mail longer than this is gone */
#define AT_ONCE 50                        /* mails handed over by one run at most */
#define OVERDUE "overdue"

/* --- what was found ------------------------------------------------------------------------------------------ */

/* With its NUL, so that two texts never run into each other. */
static void add_text(struct td_digest *digest, const char *text) {
    const char *said = text != NULL ? text : "";
    td_digest_add(digest, said, strlen(said) + 1);
}

static void add_number(struct td_digest *digest, uint64_t number) {
    td_digest_add(digest, &number, sizeof number);
}

static void add_disks(struct td_digest *digest, const struct td_observation *seen) {
    for (int s = 0; seen != NULL && s < TD_SLOTS; s++) {
        const struct td_slot *slot = &seen->slots[s];
        add_number(digest, slot->present);
        add_text(digest, slot->identity.serial);
        add_text(digest, slot->identity.wwn);
        add_text(digest, slot->fs.uuid);
        add_text(digest, slot->card_state == TD_CARD_READ ? slot->card.token : "");
    }
}

static void add_incidents(struct td_digest *digest, const struct td_run *run, const struct td_found *found) {
    add_number(digest, run->counts.held);
    add_number(digest, run->counts.unreadable);
    for (size_t i = 0; i < found->count; i++) {
        add_number(digest, found->list[i].kind);
        add_number(digest, found->list[i].cause);
        add_number(digest, (unsigned char)found->list[i].member);
        add_text(digest, found->list[i].path);
    }
    /* What was repaired and is found again has gone bad again. */
    if (run->counts.repaired > 0)
        add_number(digest, (uint64_t)run->id);
}

static void record_event(struct td_ledger *ledger, const struct td_run *run, const struct td_observation *seen) {
    uint8_t hash[TD_SHA256_LEN];
    char event[2 * TD_SHA256_LEN + 1] = "";
    struct td_found found = {0};
    struct td_error ignored = {0};
    struct td_digest *digest = td_digest_new(&ignored);
    if (run->exit != TD_EXIT_OK && digest != NULL && td_found_load(ledger, run->id, &found, &ignored) == 0) {
        td_digest_start(digest);
        add_text(digest, td_verdict_name(run->verdict));
        add_number(digest, (uint64_t)run->result);
        add_number(digest, (uint64_t)run->exit);
        add_text(digest, run->reason);
        add_disks(digest, seen);
        add_incidents(digest, run, &found);
        if (td_digest_end(digest, hash) == 0)
            td_hex(event, hash, sizeof hash);
    }
    td_found_free(&found);
    td_digest_free(digest);
    td_ledger_run_event(ledger, run->id, event, &ignored); /* without it there is one mail too many */
}

/* --- when ---------------------------------------------------------------------------------------------------- */

static bool mail_wanted(const struct td_app *app) {
    return app->config->mail_to != NULL && app->config->mail_to[0] != '\0';
}

/* Something is wrong: is it new? */
static bool is_news(struct td_ledger *ledger, const struct td_run *run, bool inserted) {
    bool refused = run->result == TD_RESULT_REFUSED;
    int64_t at = 0;
    if (td_ledger_mail_told(ledger, run->id, refused || run->pair == 0, &at, NULL) != 0 || at == 0)
        return true;
    bool to_be_answered = inserted && (refused || run->exit == TD_EXIT_MEMBER_LOST);
    return to_be_answered && td_wall_seconds() - at > AGAIN_S;
}

static bool is_due(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, bool inserted) {
    enum td_mail_on on = app->config->mail_on;
    bool refused = run->result == TD_RESULT_REFUSED, trouble = false;
    if (run->exit > TD_EXIT_SIGNAL || (refused && !td_verdict_table[run->verdict].mails))
        return false; /* somebody stopped it and knows */
    if (on == TD_MAIL_ALWAYS && !refused)
        return true;
    if (run->exit != TD_EXIT_OK)
        return is_news(ledger, run, inserted);
    /* All is well again, for those who were told that it was not. */
    return on == TD_MAIL_CHANGE && td_ledger_mail_trouble(ledger, run->id, &trouble, NULL) == 0 && trouble;
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static void enter(struct td_ledger *ledger, int64_t run, const char *event, const struct td_mail *mail) {
    TD_AUTOBUF struct td_buf message = {0}, subject = {0};
    td_mail_compose(mail, &message, &subject);
    td_ledger_mail_add(ledger, run, event, mail->when, td_buf_text(&subject), td_buf_text(&message), NULL);
}

static void write_mail(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, bool inserted) {
    struct td_found found = {0};
    struct td_error err = {0};
    TD_AUTOBUF struct td_buf info = {0};
    if (!mail_wanted(app) || !is_due(app, ledger, run, inserted))
        return;
    if (td_found_load(ledger, run->id, &found, &err) == 0 && td_info_text(app, ledger, &info, &err) == 0) {
        struct td_report report = {run, found.list, found.count, NULL};
        struct td_mail mail = {
            .to = app->config->mail_to,
            .host = run->host,
            .when = td_wall_seconds(),
            .report = &report,
            .info = td_buf_text(&info),
        };
        enter(ledger, run->id, "run", &mail);
    }
    td_found_free(&found);
}

int td_notify_end(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run,
                  const struct td_observation *seen, bool inserted, struct td_error *err) {
    if (run->id == 0)
        return 0;
    int rc = td_ledger_begin(ledger, err);
    if (rc != 0)
        return rc;
    record_event(ledger, run, seen);
    rc = td_ledger_run_end(ledger, run, err);
    if (rc == 0)
        write_mail(app, ledger, run, inserted);
    if (rc == 0)
        return td_ledger_commit(ledger, err);
    td_ledger_rollback(ledger);
    return rc;
}

static struct td_mail other_mail(const struct td_app *app, char host[64], const char *subject, const char *body,
                                 const struct td_buf *info) {
    if (gethostname(host, 63) != 0)
        snprintf(host, 64, "unknown");
    return (struct td_mail){
        .to = app->config->mail_to,
        .host = host,
        .when = td_wall_seconds(),
        .subject = subject,
        .body = body,
        .info = td_buf_text(info),
    };
}

void td_notify_overdue(const struct td_app *app, struct td_ledger *ledger) {
    TD_AUTOBUF struct td_buf body = {0}, names = {0}, info = {0};
    struct td_error err = {0};
    char host[64] = "";
    int64_t last = 0, now = td_wall_seconds();
    if (!mail_wanted(app) || td_info_overdue(app, ledger, &body, &names, &err) != 0 || body.len == 0)
        return;
    if (td_ledger_mail_newest(ledger, OVERDUE, &last, &err) != 0 || (last <= now && now - last < OVERDUE_S))
        return;
    if (td_info_text(app, ledger, &info, &err) != 0)
        return;
    td_buf_puts(&names, " overdue");
    struct td_mail mail = other_mail(app, host, td_buf_text(&names), td_buf_text(&body), &info);
    td_ledger_mail_forget(ledger, now - KEEP_S, OVERDUE, &err); /* yesterday's, if nobody has got it yet */
    enter(ledger, 0, OVERDUE, &mail);
}

/* --- handing over -------------------------------------------------------------------------------------------- */

void td_notify_deliver(const struct td_app *app, struct td_ledger *ledger) {
    struct td_error err = {0};
    int64_t id = 0;
    int rc = 0;
    if (!mail_wanted(app))
        return;
    td_ledger_mail_forget(ledger, td_wall_seconds() - KEEP_S, NULL, &err);
    for (int i = 0; i < AT_ONCE && rc != -ETIMEDOUT; i++) {
        TD_AUTOBUF struct td_buf message = {0};
        if (td_ledger_mail_claim(ledger, id, td_wall_seconds(), CLAIM_S, &id, &message, &err) <= 0)
            return;
        rc = td_mailer_send(app->config->sendmail, app->config->mail_to, td_buf_text(&message), message.len,
                            TD_MAILER_TIMEOUT_S, &err);
        td_ledger_mail_done(ledger, id, rc == 0 ? NULL : err.text, NULL);
    }
    if (rc == -ETIMEDOUT) /* a minute for each would be too long */
        td_ledger_mail_untried(ledger, id, err.text, NULL);
}

int td_notify_send(const struct td_app *app, struct td_ledger *ledger, const char *subject, const char *body, bool keep,
                   struct td_error *err) {
    TD_AUTOBUF struct td_buf info = {0}, message = {0}, title = {0};
    char host[64] = "";
    if (!mail_wanted(app))
        return td_fail_text(err, EDESTADDRREQ, "%s: mail_to is empty, so nobody is mailed", app->config->file);
    struct td_error ignored = {0}, why = {0};
    if (ledger != NULL && td_info_text(app, ledger, &info, &ignored) != 0) /* it may be the ledger that is broken */
        td_buf_clear(&info);
    struct td_mail mail = other_mail(app, host, subject, body, &info);
    td_mail_compose(&mail, &message, &title);
    int rc = td_mailer_send(app->config->sendmail, app->config->mail_to, message.data, message.len, TD_MAILER_TIMEOUT_S,
                            &why);
    if (rc == 0)
        return 0;
    if (keep && ledger != NULL &&
        td_ledger_mail_add(ledger, 0, "message", mail.when, td_buf_text(&title), td_buf_text(&message), &ignored) == 0)
        td_ledger_mail_untried(ledger, 0, why.text, &ignored);
    return td_fail_text(err, -rc, "%s", why.text);
}

int td_command_mail_test(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct td_error ignored = {0};
    if (td_ledger_open_reader(app->config->ledger, &ledger, &ignored) != 0)
        ledger = NULL;
    int rc = td_notify_send(app, ledger, "a test",
                            "This is the way a failure would reach you. Nothing is wrong; nothing needs to be done.",
                            false, err);
    td_ledger_close(ledger);
    if (rc == 0)
        td_buf_printf(out, "A mail to %s was handed to %s. See whether it arrives.\n", app->config->mail_to,
                      app->config->sendmail);
    if (rc == -ENOENT) {
        td_fail_text(err, ENOENT,
                     "mail cannot be sent: there is no %s; install a mail program such as msmtp-mta or dma, or name "
                     "another with `sendmail` in %s",
                     app->config->sendmail, app->config->file);
    }
    return rc == 0 ? 0 : rc == -ENOENT || rc == -EDESTADDRREQ ? TD_EXIT_CONFIG : TD_EXIT_INTERNAL;
}
