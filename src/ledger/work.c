/* The walks and the testimony of the readers. */
#include "twindock/ledger/work.h"

#include "private.h"

#include <errno.h>
#include <string.h>

/* The statements in sql/work name the sides by these numbers. */
_Static_assert(TD_SOURCE == 0 && TD_A == 1 && TD_B == 2 && TD_SIDES == 3, "sql/work knows the sides by number");

int td_work_start(struct td_ledger *ledger, struct td_error *err) {
    return td_sql_script(ledger->sql, "work/tables.sql", err);
}

int td_work_simply(struct td_ledger *ledger, const char *statement, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, statement, &q, err);

    return rc < 0 ? rc : td_sql_run(q, NULL, err);
}

/* --- walks ------------------------------------------------------------------------------------------- */

int td_work_clear_side(struct td_ledger *ledger, enum td_side side, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/clear_side.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    return td_sql_run(q, NULL, err);
}

int td_work_scan(struct td_ledger *ledger, enum td_side side, const struct td_entry *entry, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/scan.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    if (side == TD_SOURCE)
        td_bind_source(ledger, q, 2, entry);
    else
        td_bind_entry(q, 2, entry);
    td_sql_bind_int(q, 2 + TD_ENTRY_COLUMNS, entry->error);
    td_sql_bind_u64(q, 3 + TD_ENTRY_COLUMNS, entry->place != 0 ? entry->place : entry->ino);
    td_sql_bind_int(q, 4 + TD_ENTRY_COLUMNS, entry->whole);
    return td_sql_run(q, NULL, err);
}

int td_work_link(struct td_ledger *ledger, struct td_error *err) {
    int rc = td_work_simply(ledger, "work/clear_owners.sql", err);

    return rc < 0 ? rc : td_work_simply(ledger, "work/find_owners.sql", err);
}

int td_work_totals(struct td_ledger *ledger, enum td_side side, uint64_t *files, uint64_t *bytes,
                   struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(ledger->sql, "work/side_totals.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *files = td_sql_u64(q, 0);
    *bytes = td_sql_u64(q, 1);
    return 0;
}

void td_read_scan(struct td_sql_stmt *stmt, struct td_entry *entry) {
    td_read_entry(stmt, entry);
    entry->error = (int)td_sql_int(stmt, TD_ENTRY_COLUMNS);
}

int td_work_entry(struct td_ledger *ledger, enum td_side side, const char *path, struct td_entry *out,
                  struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(ledger->sql, "work/entry.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    td_sql_bind_bytes(q, 2, path);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return td_fail_text(err, ENOENT, "%s was not found by the walk", path);
    td_read_scan(q, out);
    td_keep_texts(&ledger->entry_texts, out);
    return 0;
}

int td_work_followers(struct td_ledger *ledger, const char *leader, int (*each)(void *ctx, const char *path), void *ctx,
                      struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(ledger->sql, "work/followers.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_bytes(q, 1, leader);
    while ((rc = td_sql_step(q, err)) > 0) {
        rc = each(ctx, td_sql_text(q, 0));
        if (rc != 0)
            return rc;
    }
    return rc;
}

/* --- what reading said ------------------------------------------------------------------------------- */

int td_work_testify(struct td_ledger *ledger, const char *path, enum td_side side, int error, bool changing,
                    const uint8_t hash[TD_HASH_LEN], struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/testify.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_bytes(q, 1, path);
    td_sql_bind_int(q, 2, side);
    td_sql_bind_int(q, 3, error);
    td_sql_bind_int(q, 4, changing);
    td_sql_bind_blob(q, 5, hash, TD_HASH_LEN);
    return td_sql_run(q, NULL, err);
}

int td_work_evidence(struct td_ledger *ledger, const char *path, struct td_work_evidence *out, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    bool found = false;
    int rc = td_sql_take(ledger->sql, "work/evidence.sql", &q, err);

    if (rc < 0)
        return rc;
    memset(out, 0, sizeof(*out));
    out->path = path;
    td_sql_bind_bytes(q, 1, path);
    while ((rc = td_sql_step(q, err)) > 0) {
        int64_t side = td_sql_int(q, 0);
        if (side < 0 || side >= TD_SIDES)
            continue;
        out->side[side].asked = true;
        out->side[side].error = (int)td_sql_int(q, 1);
        out->side[side].changing = td_sql_int(q, 2) != 0;
        td_sql_hash(q, 3, out->side[side].hash, TD_HASH_LEN); /* NULL stays zeros */
        found = true;
    }
    if (rc == 0 && !found)
        return td_fail_text(err, ENOENT, "nothing has been said about %s", path);
    return rc;
}

int td_work_drop_evidence(struct td_ledger *ledger, const char *path, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, "work/drop_evidence.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_bytes(q, 1, path);
    return td_sql_run(q, NULL, err);
}
