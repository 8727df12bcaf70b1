/* What runs have found, and the repairs that nobody has been told of yet. */
#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <string.h>

int td_ledger_incident(struct td_ledger *ledger, int64_t run, const struct td_incident *incident,
                       struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    const char member[2] = {incident->member, '\0'};
    int rc = td_write_take(ledger, "queries/add_incident.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    td_sql_bind_text(q, 2, td_incident_names[incident->kind]);
    td_sql_bind_text(q, 3, td_cause_names[incident->cause]);
    td_sql_bind_bytes(q, 4, incident->path);
    td_sql_bind_text(q, 5, member);
    td_sql_bind_text(q, 6, incident->detail);
    return td_sql_run(q, NULL, err);
}

/* Index of `name` in names[count], or -1. */
static int find_name(const char *const *names, int count, const char *name) {
    for (int i = 0; name && i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static int read_incident(struct td_sql_stmt *q, struct td_incident *out, struct td_error *err) {
    const char *member = td_sql_text(q, 3);
    int kind = find_name(td_incident_names, TD_INCIDENT_NOTED + 1, td_sql_text(q, 0));
    int cause = find_name(td_cause_names, TD_CAUSE_COUNT, td_sql_text(q, 1));

    if (kind < 0 || cause < 0)
        return td_fail_text(err, EUCLEAN, "the ledger has an incident of unknown kind or cause");
    out->kind = (enum td_incident_kind)kind;
    out->cause = (enum td_cause)cause;
    out->path = td_sql_text(q, 2);
    out->member = member ? member[0] : '\0';
    out->detail = td_sql_text(q, 4);
    return 0;
}

static int each_incident(struct td_sql_stmt *q, int (*each)(void *ctx, const struct td_incident *incident), void *ctx,
                         struct td_error *err) {
    int rc;

    while ((rc = td_sql_step(q, err)) > 0) {
        struct td_incident incident;
        rc = read_incident(q, &incident, err);
        rc = rc < 0 ? rc : each(ctx, &incident);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int td_ledger_incidents(struct td_ledger *ledger, int64_t run,
                        int (*each)(void *ctx, const struct td_incident *incident), void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/incidents.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    return each_incident(q, each, ctx, err);
}

/* --- repairs ------------------------------------------------------------------------------------------ */

/* A statement on one of them, by its key. */
static int take_repair(struct td_ledger *ledger, const char *statement, int64_t pair,
                       const struct td_incident *incident, const char *place, struct td_sql_stmt **out,
                       struct td_error *err) {
    int rc = td_write_take(ledger, statement, out, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(*out, 1, pair);
    td_sql_bind_bytes(*out, 2, incident->path);
    td_sql_bind_text(*out, 3, incident->member == 'A' ? "A" : "B"); /* texts must outlive this */
    td_sql_bind_bytes(*out, 4, place);
    return 0;
}

int td_ledger_repair(struct td_ledger *ledger, int64_t pair, const struct td_incident *incident, const char *place,
                     int64_t run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = take_repair(ledger, "queries/repair_note.sql", pair, incident, place, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_text(q, 5, td_cause_names[incident->cause]);
    td_sql_bind_text(q, 6, incident->detail);
    td_sql_bind_int(q, 7, run);
    return td_sql_run(q, NULL, err);
}

int td_ledger_repair_failed(struct td_ledger *ledger, int64_t pair, const struct td_incident *incident,
                            const char *place, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = take_repair(ledger, "queries/repair_drop.sql", pair, incident, place, &q, err);

    return rc < 0 ? rc : td_sql_run(q, NULL, err);
}

static void bind_left(struct td_sql_stmt *q, int64_t pair, int64_t run, int64_t cycle) {
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, run);
    td_sql_bind_int(q, 3, cycle);
}

int td_ledger_repairs_left(struct td_ledger *ledger, int64_t pair, int64_t run, int64_t cycle,
                           int (*each)(void *ctx, const struct td_incident *incident), void *ctx,
                           struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *left = NULL, *forget = NULL;
    int rc = td_ledger_take(ledger, "queries/repairs_left.sql", &left, err);

    if (rc < 0)
        return rc;
    bind_left(left, pair, run, cycle);
    rc = each_incident(left, each, ctx, err);
    rc = rc != 0 ? rc : td_write_take(ledger, "queries/repairs_forget.sql", &forget, err);
    if (rc != 0)
        return rc;
    bind_left(forget, pair, run, cycle);
    return td_sql_run(forget, NULL, err);
}

int td_repairs_told(struct td_ledger *ledger, int64_t run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/repair_told.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, run);
    return td_sql_run(q, NULL, err);
}
