#include "private.h"

#include <errno.h>

#define BATCH 1000 /* writes to the working tables between two commits */

/* SQLite rolls back by itself when the disk is full or fails. What follows must not go in alone. */
static int check_whole(const struct td_ledger *ledger, struct td_error *err) {
    if (ledger->depth > 0 && !td_sql_in_transaction(ledger->sql))
        return td_fail_text(err, EIO, "the ledger's transaction was rolled back by an earlier failure");
    return 0;
}

/* Commit what the working tables have gathered. */
static int settle(struct td_ledger *ledger, struct td_error *err) {
    if (!ledger->batching)
        return 0;
    ledger->batching = false;
    if (!td_sql_in_transaction(ledger->sql))
        return td_fail_text(err, EIO, "the working tables were rolled back by an earlier failure");
    return td_sql_commit(ledger->sql, err);
}

int td_ledger_begin(struct td_ledger *ledger, struct td_error *err) {
    int rc = check_whole(ledger, err);
    if (rc < 0)
        return rc;
    if (ledger->depth > 0) {
        ledger->depth++;
        return 0;
    }
    rc = settle(ledger, err);
    rc = rc < 0 ? rc : td_sql_begin(ledger->sql, true, err);
    if (rc < 0)
        return rc;
    ledger->depth = 1;
    ledger->touched = 0;
    return 0;
}

int td_ledger_commit(struct td_ledger *ledger, struct td_error *err) {
    if (ledger->depth == 0)
        return td_fail_text(err, EINVAL, "no transaction of the ledger is open");
    int rc = check_whole(ledger, err);
    ledger->depth--;
    if (ledger->depth > 0 || rc < 0)
        return rc;
    return td_sql_commit(ledger->sql, err);
}

void td_ledger_rollback(struct td_ledger *ledger) {
    if (ledger->depth == 0)
        return;
    ledger->depth = 0;
    td_sql_rollback(ledger->sql);
}

int td_ledger_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err) {
    int rc = settle(ledger, err);

    *out = NULL;
    return rc < 0 ? rc : td_sql_take(ledger->sql, name, out, err);
}

int td_write_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err) {
    int rc = check_whole(ledger, err);

    *out = NULL;
    return rc < 0 ? rc : td_ledger_take(ledger, name, out, err);
}

int td_work_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err) {
    int rc = 0;

    *out = NULL;
    if (ledger->batching && (++ledger->batched >= BATCH || !td_sql_in_transaction(ledger->sql)))
        rc = settle(ledger, err);
    if (rc == 0 && ledger->depth == 0 && !ledger->batching) {
        rc = td_sql_begin(ledger->sql, false, err);
        ledger->batching = rc == 0;
        ledger->batched = 0;
    }
    return rc < 0 ? rc : td_sql_take(ledger->sql, name, out, err);
}

int td_write_end(struct td_ledger *ledger, int rc, struct td_error *err) {
    if (rc == 0)
        return td_ledger_commit(ledger, err);
    /* Within the caller's transaction it is the caller who decides. */
    if (ledger->depth > 1)
        ledger->depth--;
    else
        td_ledger_rollback(ledger);
    return rc;
}

int td_run_found(struct td_sql_stmt *stmt, const char *what, struct td_error *err) {
    int64_t changes;
    int rc = td_sql_run(stmt, &changes, err);

    if (rc == 0 && changes == 0)
        return td_fail_text(err, ENOENT, "%s is not in the ledger", what);
    return rc;
}
