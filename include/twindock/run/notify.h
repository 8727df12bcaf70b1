/* The end of a run in words: collected from the ledger, printed, mailed. */
#ifndef TWINDOCK_RUN_NOTIFY_H
#define TWINDOCK_RUN_NOTIFY_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/dock/observe.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/outcome.h"
#include "twindock/run/commands.h"

#include <stdbool.h>

/* Print a finished run with its incidents, as text or JSON. `safe`: may be NULL. */
int td_notify_print(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, const char *safe,
                    struct td_buf *out, struct td_error *err);

/* Nothing was there to do, or not the collection asked for (NULL: any): say so as a refusal. TD_EXIT_REFUSED or an
 * error. */
int td_notify_nothing_docked(const struct td_app *app, struct td_ledger *ledger, const char *command,
                             const char *collection, struct td_buf *out, struct td_error *err);

/* The run's sentence as text to keep as its reason; malloc'ed. */
char *td_notify_sentence(struct td_ledger *ledger, const struct td_run *run);

/*
 * A run has come to its end, and its reason is known: record that, with what it has found as a hash that is equal when
 * the same is found again (verdict and sentence, disks (`seen` may be NULL), files), and write a mail about it, all at
 * once, so that no run has ended of which nobody hears. There is a mail if the configuration wants one and it would
 * tell something: what a retry, a second event or the nightly run finds again has been told. Only when disks were put
 * in anew (`inserted`) is the same told again, half a day after the last time. td_notify_deliver() hands it over.
 */
int td_notify_end(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run,
                  const struct td_observation *seen, bool inserted, struct td_error *err);

/* Write one mail about all pairs that are overdue, if there was none for most of a day. */
void td_notify_overdue(const struct td_app *app, struct td_ledger *ledger);

/* Hand over what has been written, also by earlier runs whose mailer failed. Slow when the mailer is. A failure is
 * recorded in the ledger, shown by --info, and changes nothing. */
void td_notify_deliver(const struct td_app *app, struct td_ledger *ledger);

/* Any other mail, at once; `ledger` NULL: without the table of --info. `keep`: when the mailer fails, the mail is kept
 * in the ledger and handed over by the next run. 0 or a negative errno; -EDESTADDRREQ: the configuration wants no mail.
 */
int td_notify_send(const struct td_app *app, struct td_ledger *ledger, const char *subject, const char *body, bool keep,
                   struct td_error *err);

/* How the last run of this pair ended: its exit code, 0 when there was none. */
int td_notify_previous_exit(struct td_ledger *ledger, int64_t pair);

/* The rows of --info and their table. */
int td_info_text(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_error *err);

/* What is overdue now and is not just being backed up: a sentence a line, and the names for a subject ("M", "M and S",
 * "3 pairs"). Both "" when nothing is. */
int td_info_overdue(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_buf *names,
                    struct td_error *err);

#endif
