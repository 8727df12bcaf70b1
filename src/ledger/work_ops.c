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
