/*
 * Mails in the ledger: what was told of which event, and what the mailer has still to take. A mail is entered whole
 * before the mailer is asked, so that neither a mailer that fails nor a program that dies can lose it.
 *
 * An event is what a run found, as a hash (td_ledger_run_event); mails about no run have a name of their own there.
 */
#ifndef TWINDOCK_LEDGER_MAILS_H
#define TWINDOCK_LEDGER_MAILS_H

#include "twindock/base/buf.h"
#include "twindock/ledger/ledger.h"

/* Enter a mail that is to be handed over. `run` 0: about none. `message` has headers and body, no NUL bytes. */
int td_ledger_mail_add(struct td_ledger *ledger, int64_t run, const char *event, int64_t at, const char *subject,
                       const char *message, struct td_error *err);

/* Claim the next mail above number `after` that is still to be handed over: 1 with its number and text, 0: none is
 * left. Another process gets it only when this one has not said how it went within `patience_s`. */
int td_ledger_mail_claim(struct td_ledger *ledger, int64_t after, int64_t now, int64_t patience_s, int64_t *id,
                         struct td_buf *message, struct td_error *err);
/* How it went: NULL, the mailer has taken it; else why not, and it is kept. */
int td_ledger_mail_done(struct td_ledger *ledger, int64_t id, const char *error, struct td_error *err);
/* The mails above number `after` are not even tried now. */
int td_ledger_mail_untried(struct td_ledger *ledger, int64_t after, const char *error, struct td_error *err);
/* Keep none from before `before` (wall seconds), and none about `event` (may be NULL). */
int td_ledger_mail_forget(struct td_ledger *ledger, int64_t before, const char *event, struct td_error *err);

/* Mails still to be handed over: how many, the oldest one's time, and why the newest was not taken (appended). */
int td_ledger_mail_kept(struct td_ledger *ledger, uint64_t *count, int64_t *since, struct td_buf *error,
                        struct td_error *err);

/* When the event of a run was told, if nothing else was found since in its dock (`by_dock`) or of its pair; else 0. */
int td_ledger_mail_told(struct td_ledger *ledger, int64_t run, bool by_dock, int64_t *at, struct td_error *err);
/* Was something wrong told of the run's pair or dock, with no good run since? */
int td_ledger_mail_trouble(struct td_ledger *ledger, int64_t run, bool *trouble, struct td_error *err);
/* When the last mail about an event was written, 0: never. */
int td_ledger_mail_newest(struct td_ledger *ledger, const char *event, int64_t *at, struct td_error *err);

#endif
