#include "private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/platform/self.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A card that says more is damaged or a joke, and numbers must not come to their end. */
#define TD_RUN_BELIEVED INT64_C(1000000000000)

int td_ledger_run_begin(struct td_ledger *ledger, struct td_run *run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    struct td_self self;
    int rc = td_write_take(ledger, "queries/run_begin.sql", &q, err);

    if (rc < 0)
        return rc;
    if (run->started == 0)
        run->started = td_wall_seconds();
    td_self_get(&self);
    td_sql_bind_int(q, 1, run->pair);
    td_sql_bind_text(q, 2, run->collection);
    td_sql_bind_text(q, 3, run->uuid);
    td_sql_bind_text(q, 4, run->dock);
    td_sql_bind_text(q, 5, run->command);
    td_sql_bind_text(q, 6, run->host);
    td_sql_bind_int(q, 7, run->started);
    td_sql_bind_text(q, 8, td_verdict_name(run->verdict));
    td_sql_bind_int(q, 9, run->after_interrupted);
    td_sql_bind_int(q, 10, self.pid);
    td_sql_bind_u64(q, 11, self.start);
    td_sql_bind_text(q, 12, self.boot);
    td_sql_bind_int(q, 13, run->id < TD_RUN_BELIEVED ? run->id : 0);
    rc = td_sql_run(q, NULL, err);
    if (rc == 0)
        run->id = td_sql_last_id(ledger->sql);
    return rc;
}

int td_ledger_run_started(struct td_ledger *ledger, int64_t run, int64_t *started, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/run_started.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    rc = td_sql_step(q, err);
    if (rc == 0)
        return td_fail_text(err, ENOENT, "the ledger has no run %lld", (long long)run);
    *started = rc > 0 ? td_sql_int(q, 0) : 0;
    return rc < 0 ? rc : 0;
}

int td_ledger_expired(struct td_ledger *ledger, int64_t pair, int64_t run, int64_t keep, int64_t *last, int64_t *before,
                      struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/expired.sql", &q, err);

    *last = *before = 0;
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, run);
    td_sql_bind_int(q, 3, keep);
    rc = td_sql_step(q, err);
    if (rc > 0) {
        *last = td_sql_int(q, 0);
        *before = td_sql_int(q, 1);
    }
    return rc < 0 ? rc : 0;
}

static int bind_counts(struct td_sql_stmt *q, int param, const struct td_counts *c) {
    const uint64_t values[] = {c->files,   c->bytes,    c->copied,     c->copied_bytes, c->renamed,
                               c->deleted, c->updated,  c->proven,     c->proven_bytes, c->left,
                               c->held,    c->repaired, c->unreadable, c->noted};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        td_sql_bind_u64(q, param++, values[i]);
    return param;
}

int td_run_write_end(struct td_sql_stmt *q, const struct td_run *run, struct td_error *err) {
    td_sql_bind_int(q, 1, run->id);
    td_sql_bind_int(q, 2, run->pair);
    td_sql_bind_text(q, 3, run->collection);
    td_sql_bind_text(q, 4, run->uuid);
    td_sql_bind_text(q, 5, run->dock);
    td_sql_bind_int(q, 6, run->ended ? run->ended : td_wall_seconds());
    td_sql_bind_text(q, 7, td_verdict_name(run->verdict));
    td_sql_bind_text(q, 8, td_result_names[run->result]);
    td_sql_bind_int(q, 9, run->exit);
    td_sql_bind_text(q, 10, run->reason);
    int param = bind_counts(q, 11, &run->counts);
    for (int side = 0; side < TD_SIDES; side++)
        td_sql_bind_text(q, param++, run->state[side]);
    td_sql_bind_int(q, param, run->after_interrupted);
    return td_run_found(q, "the run", err);
}

static int write_end(struct td_ledger *ledger, const struct td_run *run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_end.sql", &q, err);

    return rc < 0 ? rc : td_run_write_end(q, run, err);
}

int td_ledger_run_end(struct td_ledger *ledger, const struct td_run *run, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = write_end(ledger, run, err);
    rc = rc < 0 ? rc : td_repairs_told(ledger, run->id, err);
    rc = td_write_end(ledger, rc, err);
    /* Only a convenience for --info, which counts for itself where this fails. */
    if (rc == 0 && run->pair)
        (void)td_summary_refresh(ledger, run->pair, NULL);
    return rc;
}

int td_ledger_run_progress(struct td_ledger *ledger, int64_t run, const char *phase, uint64_t done, uint64_t all,
                           struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_progress.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, phase);
    td_sql_bind_u64(q, 3, done);
    td_sql_bind_u64(q, 4, all);
    return td_run_found(q, "the run", err);
}

/* --- runs that were cut off -------------------------------------------------------------------------- */

static int mark_cut_off(struct td_ledger *ledger, int64_t run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_cut_off.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_int(q, 2, td_wall_seconds());
    return td_sql_run(q, NULL, err);
}

static int mark_all_cut_off(struct td_ledger *ledger, int64_t pair, int *count, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/runs_open.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    while (rc >= 0 && (rc = td_sql_step(q, err)) > 0) {
        struct td_self self = {.pid = td_sql_int(q, 1), .start = td_sql_u64(q, 2)};
        td_text_copy(self.boot, sizeof(self.boot), td_sql_text(q, 3));
        if (td_self_alive(&self))
            continue;
        rc = mark_cut_off(ledger, td_sql_int(q, 0), err);
        *count += rc == 0;
    }
    return rc;
}

int td_ledger_run_interrupted(struct td_ledger *ledger, int64_t pair, int *count, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    *count = 0;
    if (rc < 0)
        return rc;
    return td_write_end(ledger, mark_all_cut_off(ledger, pair, count, err), err);
}

/* --- what was said of it ------------------------------------------------------------------------------- */

int td_ledger_run_event(struct td_ledger *ledger, int64_t run, const char *event, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_event.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, event);
    return td_run_found(q, "the run", err);
}

int td_ledger_run_safe(struct td_ledger *ledger, int64_t run, const char *safe, const char *disks,
                       struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_safe.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, safe);
    td_sql_bind_text(q, 3, disks);
    return td_run_found(q, "the run", err);
}

int td_ledger_run_accepted(struct td_ledger *ledger, int64_t run, const char *text, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/run_accepted.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, text);
    return td_sql_run(q, NULL, err);
}
