#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

/* Of a new copy everything, of an old one all but its files. The first statement must meet the pair. */
static const char *const all[] = {"queries/copy_pair.sql",   "queries/copy_members.sql",
                                  "queries/copy_runs.sql",   "queries/copy_incidents.sql",
                                  "queries/copy_files.sql",  "queries/copy_versions.sql",
                                  "queries/copy_kept.sql",   "queries/copy_settled.sql",
                                  "queries/copy_drills.sql", NULL};
static const char *const but_files[] = {"queries/renew_pair.sql",
                                        "queries/copy_pair.sql",
                                        "queries/renew_members.sql",
                                        "queries/copy_members.sql",
                                        "queries/renew_incidents.sql",
                                        "queries/renew_runs.sql",
                                        "queries/copy_runs.sql",
                                        "queries/copy_incidents.sql",
                                        "queries/renew_versions.sql",
                                        "queries/copy_versions.sql",
                                        "queries/renew_kept.sql",
                                        "queries/copy_kept.sql",
                                        "queries/renew_settled.sql",
                                        "queries/copy_settled.sql",
                                        "queries/renew_drills.sql",
                                        "queries/copy_drills.sql",
                                        NULL};

static int copy_rows(struct td_ledger *ledger, int64_t pair, const char *const *statements, struct td_error *err) {
    int rc = 0;

    for (size_t i = 0; rc == 0 && statements[i]; i++) {
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

/* The run that copies goes on; its copy is of a run that has ended. */
static int end_run(struct td_ledger *ledger, const struct td_run *run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = run == NULL ? 0 : td_ledger_take(ledger, "queries/copy_run_end.sql", &q, err);

    return rc < 0 || run == NULL ? rc : td_run_write_end(q, run, err);
}

/* One transaction: what is copied is the ledger as it was at one moment. */
static int copy_pair(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *const *statements,
                     struct td_error *err) {
    int rc = td_sql_begin(ledger->sql, false, err);

    if (rc < 0)
        return rc;
    rc = td_sql_script(ledger->sql, "setup/renew.sql", err);
    rc = rc < 0 ? rc : copy_rows(ledger, pair, statements, err);
    rc = rc < 0 ? rc : end_run(ledger, run, err);
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

static int export_to(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *file,
                     struct td_error *err) {
    int rc = lay_out(file, err);

    rc = rc < 0 ? rc : attach(ledger, file, err);
    if (rc < 0)
        return rc;
    rc = copy_pair(ledger, pair, run, all, err);
    detach(ledger);
    return rc;
}

int td_ledger_export(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *file,
                     struct td_error *err) {
    if (ledger->depth > 0)
        return td_fail_text(err, EINVAL, "the ledger cannot be copied within a transaction");
    int rc = reserve(file, err);
    if (rc < 0)
        return rc;
    rc = export_to(ledger, pair, run, file, err);
    if (rc == 0)
        return 0;
    unlink(file);
    return td_wrap(err, rc, "copying the ledger to %s", file);
}

int td_ledger_export_renew(struct td_ledger *ledger, int64_t pair, const struct td_run *run, const char *file,
                           struct td_error *err) {
    if (ledger->depth > 0)
        return td_fail_text(err, EINVAL, "the ledger cannot be copied within a transaction");
    int rc = attach(ledger, file, err);
    if (rc < 0)
        return rc;
    rc = copy_pair(ledger, pair, run, but_files, err);
    detach(ledger);
    return td_wrap(err, rc, "renewing the ledger's copy %s", file);
}

int td_ledger_copy_state(struct td_ledger *ledger, int64_t member, struct td_copy_state *out, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/copy_state.sql", &q, err);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, member);
    rc = td_sql_step(q, err);
    if (rc > 0)
        out->known = td_sql_hash(q, 0, out->rows, TD_HASH_LEN) && td_sql_hash(q, 1, out->sha256, TD_HASH_LEN);
    return rc < 0 ? rc : 0;
}

int td_ledger_copied(struct td_ledger *ledger, int64_t member, const struct td_copy_state *state,
                     struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/copied.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, member);
    td_sql_bind_blob(q, 2, state->known ? state->rows : NULL, TD_HASH_LEN);
    td_sql_bind_blob(q, 3, state->known ? state->sha256 : NULL, TD_HASH_LEN);
    return td_sql_run(q, NULL, err);
}
