#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* An empty file of our own, so that nothing that was there is ever written into. */
static int reserve(const char *file, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? td_fail(err, errno, "creating the ledger's copy %s", file) : 0;
}

/* The schema, in the rollback journal's mode: when it is closed there is one file and nothing beside it. */
static int lay_out(const char *file, struct td_error *err) {
    struct td_sql *sql = NULL;
    int rc = td_sql_open(file, &sql, err);

    rc = rc < 0 ? rc : td_ledger_migrate(sql, err);
    td_sql_close(sql);
    return rc;
}

static int attach(struct td_ledger *ledger, const char *file, struct td_error *err) {
    TD_AUTOFREE char *name = td_sql_plain_name(file);
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/attach_copy.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_text(q, 1, name);
    return td_sql_run(q, NULL, err);
}

static int copy_rows(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    static const char *const statements[] = {
        "queries/copy_pair.sql",      "queries/copy_members.sql", "queries/copy_runs.sql",
        "queries/copy_incidents.sql", "queries/copy_files.sql",   "queries/copy_versions.sql",
        "queries/copy_kept.sql",      "queries/copy_settled.sql", "queries/copy_drills.sql"};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(statements) / sizeof(statements[0]); i++) {
        TD_AUTOSQL struct td_sql_stmt *q = NULL;
        int64_t changes = 0;
        rc = td_ledger_take(ledger, statements[i], &q, err);
        if (rc < 0)
            break;
        td_sql_bind_int(q, 1, pair);
        rc = td_sql_run(q, &changes, err);
        if (rc == 0 && i == 0 && changes == 0)
            rc = td_fail_text(err, ENOENT, "the pair is not in the ledger");
    }
    return rc;
}

/* One transaction: what is copied is the ledger as it was at one moment. */
static int copy_pair(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    int rc = td_sql_begin(ledger->sql, false, err);

    if (rc < 0)
        return rc;
    rc = copy_rows(ledger, pair, err);
    if (rc == 0)
        return td_sql_commit(ledger->sql, err);
    td_sql_rollback(ledger->sql);
    return rc;
}

static void detach(struct td_ledger *ledger) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;

    if (td_ledger_take(ledger, "queries/detach_copy.sql", &q, NULL) == 0)
        (void)td_sql_run(q, NULL, NULL);
}

static int export_to(struct td_ledger *ledger, int64_t pair, const char *file, struct td_error *err) {
    int rc = lay_out(file, err);

    rc = rc < 0 ? rc : attach(ledger, file, err);
    if (rc < 0)
        return rc;
    rc = copy_pair(ledger, pair, err);
    detach(ledger);
    return rc;
}

int td_ledger_export(struct td_ledger *ledger, int64_t pair, const char *file, struct td_error *err) {
    if (ledger->depth > 0)
        return td_fail_text(err, EINVAL, "the ledger cannot be copied within a transaction");
    int rc = reserve(file, err);
    if (rc < 0)
        return rc;
    rc = export_to(ledger, pair, file, err);
    if (rc == 0)
        return 0;
    unlink(file);
    return td_wrap(err, rc, "copying the ledger to %s", file);
}
