/* The end of a run in words: collected from the ledger, printed, mailed. */
#ifndef TWINDOCK_RUN_NOTIFY_H
#define TWINDOCK_RUN_NOTIFY_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/outcome.h"
#include "twindock/run/commands.h"

/* Print a finished run with its incidents, as text or JSON. `safe`: may be NULL. */
int td_notify_print(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run, const char *safe,
                    struct td_buf *out, struct td_error *err);

/* Nothing was there to do, or not the collection asked for (NULL: any): say so as a refusal. TD_EXIT_REFUSED or an
 * error. */
int td_notify_nothing_docked(const struct td_app *app, struct td_ledger *ledger, const char *command,
                             const char *collection, struct td_buf *out, struct td_error *err);

/* The run's sentence as text to keep as its reason; malloc'ed. */
char *td_notify_sentence(struct td_ledger *ledger, const struct td_run *run);

/* Mail about a run if the configuration wants one. A mailer that fails is recorded in the ledger and changes nothing.
 */
void td_notify_mail(const struct td_app *app, struct td_ledger *ledger, const struct td_run *run);

/* How the last run of this pair ended: its exit code, 0 when there was none. */
int td_notify_previous_exit(struct td_ledger *ledger, int64_t pair);

/* Any other mail; 0 or a negative errno. */
int td_notify_send(const struct td_app *app, struct td_ledger *ledger, const char *subject, const char *body,
                   struct td_error *err);

/* The rows of --info and their table. */
int td_info_text(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_error *err);

/* Names of collections overdue now, one sentence a line, for the nightly mail; "" when none is. */
int td_info_overdue(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_error *err);

#endif
