#include "private.h"

#include <errno.h>

int td_ledger_file(struct td_ledger *ledger, int64_t pair, const char *path, struct td_file *out,
                   struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/file.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, path);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return td_fail_text(err, ENOENT, "%s is not in the ledger", path);
    td_read_file(q, out);
    td_keep_texts(&ledger->file_texts, &out->entry);
    return 0;
}

static int bind_and_run(struct td_ledger *ledger, const char *statement, int64_t pair, const struct td_file *file,
                        bool all, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int param = 2 + TD_ENTRY_COLUMNS;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_bind_source(ledger, q, 2, &file->entry);
    td_sql_bind_blob(q, param++, file->has_hash ? file->hash : NULL, TD_HASH_LEN);
    if (!all)
        return td_sql_run(q, NULL, err);
    td_sql_bind_int(q, param++, file->held ? TD_HELD : file->accepted ? TD_ACCEPTED : 0);
    for (int side = 0; side < TD_SIDES; side++) {
        td_sql_bind_int(q, param++, file->cycle[side]);
        td_sql_bind_int(q, param++, file->proven_at[side]);
    }
    td_sql_bind_int(q, param, file->had);
    return td_sql_run(q, NULL, err);
}

/* A version that never came to any member makes room for the next: the one before it has lasted until now. */
static int extend_state(struct td_ledger *ledger, int64_t pair, const char *path, const uint8_t *hash,
                        struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/extend_state.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, path);
    td_sql_bind_blob(q, 3, hash, TD_HASH_LEN);
    return td_sql_run(q, NULL, err);
}

static int keep_dropped(struct td_ledger *ledger, int64_t pair, const char *path, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/keep_dropped.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, path);
    return td_sql_run(q, NULL, err);
}

/* What the path was becomes a version. */
static int write_file(struct td_ledger *ledger, int64_t pair, const struct td_file *file, struct td_error *err) {
    int rc = extend_state(ledger, pair, file->entry.path, file->has_hash ? file->hash : NULL, err);

    rc = rc < 0 ? rc : bind_and_run(ledger, "queries/keep_state.sql", pair, file, false, err);
    return rc < 0 ? rc : bind_and_run(ledger, "queries/put_file.sql", pair, file, true, err);
}

int td_ledger_put_file(struct td_ledger *ledger, int64_t pair, const struct td_file *file, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = td_summary_spoil(ledger, pair, err);
    rc = rc < 0 ? rc : write_file(ledger, pair, file, err);
    return td_write_end(ledger, rc, err);
}

void td_ledger_source(struct td_ledger *ledger, uint64_t dev) {
    ledger->source = dev;
}

static int forget_device(struct td_ledger *ledger, const char *statement, int64_t pair, uint64_t dev,
                         struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_u64(q, 2, dev);
    return td_sql_run(q, NULL, err);
}

int td_ledger_forget_device(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    struct td_file root;
    int rc = td_ledger_file(ledger, pair, "", &root, NULL);

    if (rc < 0 || root.entry.dev == 0)
        return 0; /* nothing is there yet, or nothing of before */
    rc = td_ledger_begin(ledger, err);
    if (rc < 0)
        return rc;
    rc = forget_device(ledger, "queries/forget_device_version.sql", pair, root.entry.dev, err);
    rc = rc < 0 ? rc : forget_device(ledger, "queries/forget_device_file.sql", pair, root.entry.dev, err);
    return td_write_end(ledger, rc, err);
}

/* A statement on one file: pair, path, and up to two values more. */
static int change_file(struct td_ledger *ledger, const char *statement, int64_t pair, const char *path, int64_t one,
                       int64_t two, int values, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, path);
    if (values > 0)
        td_sql_bind_int(q, 3, one);
    if (values > 1)
        td_sql_bind_int(q, 4, two);
    return td_run_found(q, path, err);
}

static int change(struct td_ledger *ledger, const char *statement, int64_t pair, const char *path, int64_t one,
                  int64_t two, int values, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = td_summary_spoil(ledger, pair, err);
    rc = rc < 0 ? rc : change_file(ledger, statement, pair, path, one, two, values, err);
    return td_write_end(ledger, rc, err);
}

int td_ledger_drop_file(struct td_ledger *ledger, int64_t pair, const char *path, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = extend_state(ledger, pair, path, NULL, err);
    rc = rc < 0 ? rc : keep_dropped(ledger, pair, path, err);
    rc = rc < 0 ? rc : change(ledger, "queries/drop_file.sql", pair, path, 0, 0, 0, err);
    return td_write_end(ledger, rc, err);
}

int td_ledger_prove(struct td_ledger *ledger, int64_t pair, const char *path, enum td_side side, int64_t cycle,
                    int64_t when, struct td_error *err) {
    static const char *const statements[TD_SIDES] = {
        [TD_SOURCE] = "queries/prove_source.sql", [TD_A] = "queries/prove_a.sql", [TD_B] = "queries/prove_b.sql"};

    return change(ledger, statements[side], pair, path, cycle, when, 2, err);
}

int td_ledger_hold(struct td_ledger *ledger, int64_t pair, const char *path, bool held, struct td_error *err) {
    return change(ledger, "queries/hold.sql", pair, path, held, 0, 1, err);
}

static int forget(struct td_ledger *ledger, int64_t pair, enum td_side side, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/forget_proofs.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, side);
    return td_sql_run(q, NULL, err);
}

int td_ledger_forget_proofs(struct td_ledger *ledger, int64_t pair, enum td_side side, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = td_summary_spoil(ledger, pair, err);
    rc = rc < 0 ? rc : forget(ledger, pair, side, err);
    rc = rc < 0 ? rc : td_proofs_drop(ledger, pair, (int)side, err); /* those of a run that was cut off */
    return td_write_end(ledger, rc, err);
}

int td_ledger_share_proofs(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/share_proofs.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    rc = td_sql_run(q, NULL, err);
    return rc < 0 ? rc : td_summary_spoil(ledger, pair, err);
}

static int each_file(struct td_sql_stmt *q, int (*each)(void *ctx, const struct td_file *file), void *ctx,
                     struct td_error *err) {
    int rc;

    while ((rc = td_sql_step(q, err)) > 0) {
        struct td_file file;
        td_read_file(q, &file);
        rc = each(ctx, &file);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int td_ledger_held(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_file *file),
                   void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/held.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    return each_file(q, each, ctx, err);
}

int td_ledger_names(struct td_ledger *ledger, int64_t pair, uint64_t ino,
                    int (*each)(void *ctx, const struct td_file *file), void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/names.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_u64(q, 2, ino);
    return each_file(q, each, ctx, err);
}

int td_ledger_totals(struct td_ledger *ledger, int64_t pair, uint64_t *files, uint64_t *bytes, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/totals.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *files = td_sql_u64(q, 0);
    *bytes = td_sql_u64(q, 1);
    return 0;
}

int td_ledger_unproven(struct td_ledger *ledger, int64_t pair, unsigned members, int64_t cycle, uint64_t *copies,
                       uint64_t *bytes, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/unproven.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, (members & TD_SIDE_BIT(TD_A)) != 0);
    td_sql_bind_int(q, 3, (members & TD_SIDE_BIT(TD_B)) != 0);
    td_sql_bind_int(q, 4, cycle);
    rc = td_sql_step(q, err);
    if (rc < 0)
        return rc;
    *copies = td_sql_u64(q, 0);
    *bytes = td_sql_u64(q, 1);
    return 0;
}

int td_ledger_files(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_file *file),
                    void *ctx, struct td_error *err) {
    __attribute__((cleanup(td_pager_close))) struct td_pager *pager = NULL;
    const struct td_file *file;
    int rc = td_pager_open(ledger, pair, &pager, err);

    while (rc == 0 && (rc = td_pager_next(pager, &file, err)) > 0)
        rc = each(ctx, file);
    return rc;
}
