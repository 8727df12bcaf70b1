#include "twindock/ledger/mails.h"

#include "private.h"

int td_ledger_mail_add(struct td_ledger *ledger, int64_t run, const char *event, int64_t at, const char *subject,
                       const char *message, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/add_mail.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, event);
    td_sql_bind_int(q, 3, at);
    td_sql_bind_text(q, 4, subject);
    td_sql_bind_text(q, 5, message);
    return td_sql_run(q, NULL, err);
}

int td_ledger_mail_claim(struct td_ledger *ledger, int64_t after, int64_t now, int64_t patience_s, int64_t *id,
                         struct td_buf *message, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/mail_claim.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, after);
    td_sql_bind_int(q, 2, now);
    td_sql_bind_int(q, 3, patience_s);
    rc = td_sql_step(q, err);
    if (rc <= 0)
        return rc;
    *id = td_sql_int(q, 0);
    td_buf_puts(message, td_sql_text(q, 1));
    rc = td_sql_run(q, NULL, err); /* to its end: only then it is written */
    return rc < 0 ? rc : 1;
}

static int write_text(struct td_ledger *ledger, const char *statement, int64_t number, const char *text,
                      struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, number);
    td_sql_bind_text(q, 2, text);
    return td_sql_run(q, NULL, err);
}

int td_ledger_mail_done(struct td_ledger *ledger, int64_t id, const char *error, struct td_error *err) {
    return write_text(ledger, "queries/mail_done.sql", id, error, err);
}

int td_ledger_mail_untried(struct td_ledger *ledger, int64_t after, const char *error, struct td_error *err) {
    return write_text(ledger, "queries/mail_untried.sql", after, error, err);
}

int td_ledger_mail_forget(struct td_ledger *ledger, int64_t before, const char *event, struct td_error *err) {
    return write_text(ledger, "queries/mail_forget.sql", before, event, err);
}

int td_ledger_mail_kept(struct td_ledger *ledger, uint64_t *count, int64_t *since, struct td_buf *error,
                        struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/mail_kept.sql", &q, err);

    *count = 0;
    *since = 0;
    rc = rc < 0 ? rc : td_sql_step(q, err);
    if (rc <= 0)
        return rc;
    *count = td_sql_u64(q, 0);
    *since = td_sql_int(q, 1);
    if (!td_sql_is_null(q, 2))
        td_buf_puts(error, td_sql_text(q, 2));
    return 0;
}

/* The one number that a question is answered with; NULL is 0. */
static int ask(struct td_sql_stmt *q, int64_t *out, struct td_error *err) {
    int rc = td_sql_step(q, err);

    *out = rc > 0 ? td_sql_int(q, 0) : 0;
    return rc < 0 ? rc : 0;
}

int td_ledger_mail_told(struct td_ledger *ledger, int64_t run, bool by_dock, int64_t *at, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/mail_told.sql", &q, err);

    *at = 0;
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_int(q, 2, by_dock);
    return ask(q, at, err);
}

int td_ledger_mail_trouble(struct td_ledger *ledger, int64_t run, bool *trouble, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int64_t yes = 0;
    int rc = td_ledger_take(ledger, "queries/mail_trouble.sql", &q, err);

    *trouble = false;
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    rc = ask(q, &yes, err);
    *trouble = yes != 0;
    return rc;
}

int td_ledger_mail_newest(struct td_ledger *ledger, const char *event, int64_t *at, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/mail_newest.sql", &q, err);

    *at = 0;
    if (rc < 0)
        return rc;
    td_sql_bind_text(q, 1, event);
    return ask(q, at, err);
}
