#include "private.h"

#include "twindock/ledger/work.h"

int td_work_add_op(struct td_ledger *ledger, const struct td_work_op *op, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/add_op.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, op->action);
    td_sql_bind_int(q, 2, op->why);
    td_sql_bind_int(q, 3, op->members);
    td_sql_bind_bytes(q, 4, op->path);
    td_sql_bind_bytes(q, 5, op->from);
    td_sql_bind_int(q, 6, op->keep);
    td_sql_bind_int(q, 7, op->quarantine);
    td_sql_bind_int(q, 8, op->origin);
    td_sql_bind_u64(q, 9, op->size);
    td_sql_bind_int(q, 10, op->action == TD_ACT_COPY);
    return td_sql_run(q, NULL, err);
}

int td_work_clear_ops(struct td_ledger *ledger, struct td_error *err) {
    return td_work_simply(ledger, "work/clear_ops.sql", err);
}

int td_work_op_totals(struct td_ledger *ledger, enum td_action action, uint64_t *count, uint64_t *bytes,
                      struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(ledger->sql, "work/op_totals.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, action);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *count = td_sql_u64(q, 0);
    *bytes = td_sql_u64(q, 1);
    return 0;
}

/* --- proofs of what is about to be replaced ----------------------------------------------------------- */

static int find_doubted(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    static const enum td_action replacing[] = {TD_ACT_COPY,  TD_ACT_SPECIAL, TD_ACT_LINK,
                                               TD_ACT_MKDIR, TD_ACT_MOVE,    TD_ACT_DELETE};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_simply(ledger, "work/clear_doubted.sql", err);

    rc = rc < 0 ? rc : td_ledger_take(ledger, "work/find_doubted.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    for (size_t i = 0; i < sizeof(replacing) / sizeof(*replacing); i++)
        td_sql_bind_int(q, 2 + (int)i, replacing[i]);
    return td_sql_run(q, NULL, err);
}

/* To the ledger's files, by the list. */
static int apply_doubted(struct td_ledger *ledger, const char *statement, int64_t pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_summary_spoil(ledger, pair, err);

    rc = rc < 0 ? rc : td_write_take(ledger, statement, &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    return td_sql_run(q, NULL, err);
}

int td_work_doubt(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    int rc = find_doubted(ledger, pair, err);

    rc = rc < 0 ? rc : td_ledger_begin(ledger, err);
    if (rc < 0)
        return rc;
    return td_write_end(ledger, apply_doubted(ledger, "work/doubt.sql", pair, err), err);
}

int td_work_replaced(struct td_ledger *ledger, const char *path, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/replaced.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_bytes(q, 1, path);
    return td_sql_run(q, NULL, err);
}

int td_work_undoubt(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = apply_doubted(ledger, "work/undoubt.sql", pair, err);
    rc = td_write_end(ledger, rc, err);
    return rc < 0 ? rc : td_work_simply(ledger, "work/clear_doubted.sql", err);
}
