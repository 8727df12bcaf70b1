/* What a pair's files sum up to. Kept in the pair's row, so that --info need not read ten million rows. */
#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>

int td_summary_spoil(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    if (ledger->touched == pair)
        return 0;
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/pair_changed.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    rc = td_sql_run(q, NULL, err);
    if (rc == 0)
        ledger->touched = pair;
    return rc;
}

static int count_files(struct td_ledger *ledger, const struct td_pair *pair, uint64_t *files, int64_t *oldest,
                       struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/sum_files.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair->id);
    td_sql_bind_int(q, 2, pair->members[0].letter != 0);
    td_sql_bind_int(q, 3, pair->members[1].letter != 0);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *files = td_sql_u64(q, 0);
    *oldest = td_sql_int(q, 1);
    if (*oldest == INT64_MAX) /* no member is enrolled */
        *oldest = 0;
    return 0;
}

int td_summary_get(struct td_ledger *ledger, const struct td_pair *pair, uint64_t *files, int64_t *oldest,
                   bool *counted, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/pair_summary.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair->id);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *counted = rc == 0 || td_sql_is_null(q, 0);
    if (*counted)
        return count_files(ledger, pair, files, oldest, err);
    *files = td_sql_u64(q, 0);
    *oldest = td_sql_int(q, 1);
    return 0;
}

static int keep(struct td_ledger *ledger, int64_t pair, uint64_t files, int64_t oldest, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/pair_summed.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_u64(q, 2, files);
    td_sql_bind_int(q, 3, oldest);
    rc = td_sql_run(q, NULL, err);
    ledger->touched = 0; /* the next write spoils it again */
    return rc;
}

int td_summary_refresh(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count;
    int rc = td_ledger_pairs(ledger, &pairs, &count, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t files;
        int64_t oldest;
        bool counted;
        if (pairs[i].id != pair)
            continue;
        rc = td_summary_get(ledger, &pairs[i], &files, &oldest, &counted, err);
        if (rc == 0 && counted)
            rc = keep(ledger, pair, files, oldest, err);
    }
    return rc;
}
