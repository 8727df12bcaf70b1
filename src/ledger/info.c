#include "private.h"

#include "twindock/base/cleanup.h"
#include "twindock/platform/self.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_last_backup(struct td_ledger *ledger, struct td_info_fact *fact, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/last_backup.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, fact->pair.id);
    rc = td_sql_step(q, err);
    if (rc > 0)
        fact->last_backup = td_sql_int(q, 0);
    return rc < 0 ? rc : 0;
}

/* Device numbers and disk sequences begin anew with every boot. */
static void read_safe(struct td_sql_stmt *q, struct td_info_fact *fact) {
    struct td_self self;

    td_self_get(&self);
    if (td_sql_is_null(q, 10) || self.boot[0] == '\0' || strcmp(td_sql_text(q, 5), self.boot) != 0)
        return;
    td_text_copy(fact->safe, sizeof(fact->safe), td_sql_text(q, 10));
    td_text_copy(fact->disks, sizeof(fact->disks), td_sql_text(q, 11));
}

/* What is going on now, from the newest run. */
static int read_newest_run(struct td_ledger *ledger, struct td_info_fact *fact, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/newest_run.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, fact->pair.id);
    rc = td_sql_step(q, err);
    if (rc <= 0)
        return rc;
    if (td_sql_int(q, 1)) {
        read_safe(q, fact);
        return 0;
    }
    struct td_self self = {.pid = td_sql_int(q, 3), .start = td_sql_u64(q, 4)};
    td_text_copy(self.boot, sizeof(self.boot), td_sql_text(q, 5));
    fact->running = td_self_alive(&self);
    fact->interrupted = !fact->running;
    if (fact->running) {
        td_text_copy(fact->phase, sizeof(fact->phase), td_sql_text(q, 6));
        fact->done = td_sql_u64(q, 7);
        fact->all = td_sql_u64(q, 8);
        fact->phase_since = td_sql_int(q, 9);
    }
    return 0;
}

static int read_counts(struct td_sql_stmt *q, int column, struct td_counts *c) {
    uint64_t *const values[] = {&c->files,   &c->bytes,    &c->copied,     &c->copied_bytes, &c->renamed,
                                &c->deleted, &c->updated,  &c->proven,     &c->proven_bytes, &c->left,
                                &c->held,    &c->repaired, &c->unreadable, &c->noted};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        *values[i] = td_sql_u64(q, column++);
    return column;
}

static bool result_from(const char *name, enum td_result *out) {
    for (int i = 0; i < TD_RESULT_COUNT; i++) {
        if (strcmp(td_result_names[i], name) == 0) {
            *out = (enum td_result)i;
            return true;
        }
    }
    return false;
}

static int read_run(struct td_sql_stmt *q, struct td_run *run, struct td_error *err) {
    run->id = td_sql_int(q, 0);
    run->pair = td_sql_int(q, 1);
    td_text_copy(run->collection, sizeof(run->collection), td_sql_text(q, 2));
    td_text_copy(run->uuid, sizeof(run->uuid), td_sql_text(q, 3));
    td_text_copy(run->dock, sizeof(run->dock), td_sql_text(q, 4));
    td_text_copy(run->command, sizeof(run->command), td_sql_text(q, 5));
    td_text_copy(run->host, sizeof(run->host), td_sql_text(q, 6));
    run->started = td_sql_int(q, 7);
    run->ended = td_sql_int(q, 8);
    if (!td_verdict_from(td_sql_text(q, 9), &run->verdict) || !result_from(td_sql_text(q, 10), &run->result))
        return td_fail_text(err, EUCLEAN, "run %lld in the ledger has an unknown verdict or result",
                            (long long)run->id);
    run->exit = (int)td_sql_int(q, 11);
    if (!td_sql_is_null(q, 12) && !(run->reason = strdup(td_sql_text(q, 12))))
        return td_fail(err, ENOMEM, "reading the ledger's runs");
    int column = read_counts(q, 13, &run->counts);
    for (int side = 0; side < TD_SIDES; side++)
        td_text_copy(run->state[side], sizeof(run->state[side]), td_sql_text(q, column++));
    run->after_interrupted = td_sql_int(q, column) != 0;
    return 0;
}

static int read_last_run(struct td_ledger *ledger, struct td_info_fact *fact, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/last_run.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, fact->pair.id);
    rc = td_sql_step(q, err);
    rc = rc > 0 ? read_run(q, &fact->last, err) : rc;
    bool cut_off = fact->last.id != 0 && fact->last.result == TD_RESULT_INTERRUPTED;
    if (rc == 0 && cut_off && !fact->running && strcmp(fact->last.command, "run") == 0)
        fact->interrupted = true;
    return rc;
}

static int read_space(struct td_ledger *ledger, struct td_info_fact *fact, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/pair_summary.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, fact->pair.id);
    rc = td_sql_step(q, err);
    if (rc > 0) {
        fact->used = td_sql_u64(q, 2);
        fact->free = td_sql_u64(q, 3);
        fact->enrolled = td_sql_int(q, 4);
    }
    return rc < 0 ? rc : 0;
}

static int gather(struct td_ledger *ledger, struct td_info_fact *fact, struct td_error *err) {
    bool counted;
    int rc = read_last_backup(ledger, fact, err);

    rc = rc < 0 ? rc : read_newest_run(ledger, fact, err);
    rc = rc < 0 ? rc : read_last_run(ledger, fact, err);
    rc = rc < 0 ? rc : read_space(ledger, fact, err);
    return rc < 0 ? rc : td_summary_get(ledger, &fact->pair, &fact->files, &fact->oldest_proof, &counted, err);
}

int td_ledger_info(struct td_ledger *ledger, int (*each)(void *ctx, const struct td_info_fact *fact), void *ctx,
                   struct td_error *err) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count;
    int rc = td_ledger_pairs(ledger, &pairs, &count, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct td_info_fact fact = {.pair = pairs[i]};
        rc = gather(ledger, &fact, err);
        rc = rc < 0 ? rc : each(ctx, &fact);
        free(fact.last.reason);
    }
    return rc;
}
