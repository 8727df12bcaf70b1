/* Reading the working tables one record at a time. A cursor has a statement of its own. */
#include "private.h"

#include "twindock/ledger/work.h"

#include <errno.h>
#include <stdlib.h>

struct td_cursor {
    struct td_ledger *ledger;
    struct td_sql_stmt *stmt;
    int64_t list; /* jobs: the list to drop at the end, 0: none */
};

static int open_cursor(struct td_ledger *ledger, const char *statement, struct td_cursor **out, struct td_error *err) {
    struct td_cursor *cursor = calloc(1, sizeof(*cursor));

    *out = NULL;
    if (!cursor)
        return td_fail(err, ENOMEM, "opening %s", statement);
    cursor->ledger = ledger;
    int rc = td_sql_take(ledger->sql, statement, &cursor->stmt, err);
    if (rc < 0) {
        free(cursor);
        return rc;
    }
    *out = cursor;
    return 0;
}

void td_cursor_close(struct td_cursor *cursor) {
    if (!cursor)
        return;
    td_sql_release(&cursor->stmt);
    if (cursor->list) {
        /* Nothing is lost when this fails: the list has a number of its own and goes with the process. */
        TD_AUTOSQL struct td_sql_stmt *q = NULL;
        if (td_work_take(cursor->ledger, "work/drop_jobs.sql", &q, NULL) == 0) {
            td_sql_bind_int(q, 1, cursor->list);
            (void)td_sql_run(q, NULL, NULL);
        }
    }
    free(cursor);
}

/* --- operations -------------------------------------------------------------------------------------- */

int td_work_ops(struct td_ledger *ledger, enum td_action action, struct td_cursor **out, struct td_error *err) {
    const char *statement = action == TD_ACT_DELETE ? "work/ops_reverse.sql" : "work/ops.sql";
    int rc = open_cursor(ledger, statement, out, err);

    if (rc == 0)
        td_sql_bind_int((*out)->stmt, 1, action);
    return rc;
}

int td_work_next_op(struct td_cursor *cursor, struct td_work_op *op, struct td_error *err) {
    int rc = td_sql_step(cursor->stmt, err);

    if (rc <= 0)
        return rc;
    op->id = td_sql_int(cursor->stmt, 0);
    op->action = (enum td_action)td_sql_int(cursor->stmt, 1);
    op->why = (enum td_why)td_sql_int(cursor->stmt, 2);
    op->members = (unsigned)td_sql_int(cursor->stmt, 3);
    op->path = td_sql_text(cursor->stmt, 4);
    op->from = td_sql_text(cursor->stmt, 5);
    op->keep = td_sql_int(cursor->stmt, 6) != 0;
    op->quarantine = td_sql_int(cursor->stmt, 7) != 0;
    op->origin = (enum td_side)td_sql_int(cursor->stmt, 8);
    op->size = td_sql_u64(cursor->stmt, 9);
    return 1;
}

/* --- entries ----------------------------------------------------------------------------------------- */

int td_work_entries(struct td_ledger *ledger, enum td_side side, bool directories_only, struct td_cursor **out,
                    struct td_error *err) {
    int rc = open_cursor(ledger, "work/entries.sql", out, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int((*out)->stmt, 1, side);
    td_sql_bind_int((*out)->stmt, 2, directories_only);
    return 0;
}

int td_work_next_entry(struct td_cursor *cursor, struct td_entry *entry, struct td_error *err) {
    int rc = td_sql_step(cursor->stmt, err);

    if (rc > 0)
        td_read_scan(cursor->stmt, entry);
    return rc;
}

/* --- jobs -------------------------------------------------------------------------------------------- */

/* Made at once, so that no reader of the ledger stays open while the list is worked off for hours. */
static int make_list(struct td_ledger *ledger, int64_t list, int64_t pair, enum td_side side, int64_t cycle,
                     struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "work/add_jobs.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, list);
    td_sql_bind_int(q, 2, side);
    td_sql_bind_int(q, 3, pair);
    td_sql_bind_int(q, 4, cycle);
    return td_sql_run(q, NULL, err);
}

static int sum_list(struct td_ledger *ledger, int64_t list, uint64_t *count, uint64_t *bytes, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(ledger->sql, "work/job_totals.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, list);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *count = td_sql_u64(q, 0);
    *bytes = td_sql_u64(q, 1);
    return 0;
}

int td_work_jobs(struct td_ledger *ledger, int64_t pair, enum td_side side, int64_t cycle, uint64_t *count,
                 uint64_t *bytes, struct td_cursor **out, struct td_error *err) {
    int rc = open_cursor(ledger, "work/jobs.sql", out, err);

    if (rc < 0)
        return rc;
    (*out)->list = ++ledger->lists;
    td_sql_bind_int((*out)->stmt, 1, (*out)->list);
    rc = make_list(ledger, (*out)->list, pair, side, cycle, err);
    rc = rc < 0 ? rc : sum_list(ledger, (*out)->list, count, bytes, err);
    if (rc < 0) {
        td_cursor_close(*out);
        *out = NULL;
    }
    return rc;
}

int td_work_next_job(struct td_cursor *cursor, struct td_work_job *job, struct td_error *err) {
    int rc = td_sql_step(cursor->stmt, err);

    if (rc <= 0)
        return rc;
    job->path = td_sql_text(cursor->stmt, 0);
    job->size = td_sql_u64(cursor->stmt, 1);
    job->expected = td_sql_hash(cursor->stmt, 2, job->hash, TD_HASH_LEN);
    job->mtime.tv_sec = td_sql_int(cursor->stmt, 3);
    job->mtime.tv_nsec = (long)td_sql_int(cursor->stmt, 4);
    job->ctime.tv_sec = td_sql_int(cursor->stmt, 5);
    job->ctime.tv_nsec = (long)td_sql_int(cursor->stmt, 6);
    job->place = td_sql_u64(cursor->stmt, 7);
    job->whole = td_sql_int(cursor->stmt, 8) != 0;
    return 1;
}

/* --- evidence ---------------------------------------------------------------------------------------- */

int td_work_evidences(struct td_ledger *ledger, struct td_cursor **out, struct td_error *err) {
    return open_cursor(ledger, "work/evidences.sql", out, err);
}

int td_work_next_evidence(struct td_cursor *cursor, struct td_work_evidence *evidence, struct td_error *err) {
    int rc;

    while ((rc = td_sql_step(cursor->stmt, err)) > 0) {
        rc = td_work_evidence(cursor->ledger, td_sql_text(cursor->stmt, 0), evidence, err);
        if (rc != -ENOENT) /* dropped while the cursor stood before it */
            return rc < 0 ? rc : 1;
    }
    return rc;
}
