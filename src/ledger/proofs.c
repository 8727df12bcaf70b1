/*
 * Proofs on their way into the table "file". Of ten million rows each proof would touch another page, and a page is
 * written whole; noted in the order in which they come they fill page after page, and entered in the order of paths
 * they meet every page of "file" once for all three sides.
 */
#include "private.h"

#include <errno.h>
#include <string.h>

/* Files entered between two commits, so that others may write meanwhile and the log stays small; rows dropped at a
 * time. */
#define STEP 20000

int td_ledger_note_proof(struct td_ledger *ledger, int64_t pair, const char *path, enum td_side side,
                         const uint8_t hash[TD_HASH_LEN], int64_t cycle, int64_t when, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "proofs/note.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, side);
    td_sql_bind_bytes(q, 3, path);
    td_sql_bind_blob(q, 4, hash, TD_HASH_LEN);
    td_sql_bind_int(q, 5, cycle);
    td_sql_bind_int(q, 6, when);
    return td_sql_run(q, NULL, err);
}

/* The rows that there are, of all pairs; both numbers stay as they are when there is none. */
static int range(struct td_ledger *ledger, int64_t *first, int64_t *last, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "proofs/range.sql", &q, err);

    rc = rc < 0 ? rc : td_sql_step(q, err);
    if (rc <= 0 || td_sql_is_null(q, 0))
        return rc < 0 ? rc : 0;
    *first = td_sql_int(q, 0);
    *last = td_sql_int(q, 1);
    return 0;
}

static int drop_some(struct td_ledger *ledger, int64_t pair, int side, int64_t first, int64_t last,
                     struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "proofs/drop.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    if (side >= 0)
        td_sql_bind_int(q, 2, side);
    td_sql_bind_int(q, 3, first);
    td_sql_bind_int(q, 4, last);
    return td_sql_run(q, NULL, err);
}

int td_proofs_drop(struct td_ledger *ledger, int64_t pair, int side, struct td_error *err) {
    int64_t first = 0, last = -1;
    int rc = range(ledger, &first, &last, err);

    for (; rc >= 0 && first <= last; first += STEP)
        rc = drop_some(ledger, pair, side, first, last - first < STEP ? last : first + STEP - 1, err);
    return rc;
}

/* 1: there are some, 0: none, or a negative errno. */
static int any(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "proofs/any.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    rc = td_sql_step(q, err);
    return rc > 0 ? td_sql_int(q, 0) != 0 : rc;
}

static int sort(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_script(ledger->sql, "proofs/tables.sql", err);

    rc = rc < 0 ? rc : td_ledger_take(ledger, "proofs/sort.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    return td_sql_run(q, NULL, err);
}

/* What is known of one path. */
struct group {
    struct td_buf path;
    bool read[TD_SIDES];
    uint8_t hash[TD_SIDES][TD_HASH_LEN];
    int64_t cycle[TD_SIDES], proven[TD_SIDES];
};

static void free_group(struct group *group) {
    td_buf_free(&group->path);
}

static int enter(struct td_ledger *ledger, int64_t pair, const struct group *group, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "proofs/enter.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, td_buf_text(&group->path));
    for (int side = 0; side < TD_SIDES; side++) {
        if (!group->read[side])
            continue;
        td_sql_bind_blob(q, 3 + 3 * side, group->hash[side], TD_HASH_LEN);
        td_sql_bind_int(q, 4 + 3 * side, group->cycle[side]);
        td_sql_bind_int(q, 5 + 3 * side, group->proven[side]);
    }
    return td_sql_run(q, NULL, err); /* a file that has left the ledger since takes no proof */
}

static void add(struct group *group, struct td_sql_stmt *q) {
    int64_t side = td_sql_int(q, 1);

    if (side < 0 || side >= TD_SIDES || !td_sql_hash(q, 2, group->hash[side], TD_HASH_LEN))
        return;
    group->read[side] = true;
    group->cycle[side] = td_sql_int(q, 3);
    group->proven[side] = td_sql_int(q, 4);
}

static void begin(struct group *group, const char *path) {
    td_buf_clear(&group->path);
    td_buf_puts(&group->path, path);
    memset(group->read, 0, sizeof(group->read));
}

/* Within a transaction, which is committed and begun anew from time to time. */
static int enter_all(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    __attribute__((cleanup(free_group))) struct group group = {0};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    bool some = false;
    int count = 0, rc = td_sql_take(ledger->sql, "proofs/sorted.sql", &q, err);

    while (rc >= 0 && (rc = td_sql_step(q, err)) > 0) {
        const char *path = td_sql_text(q, 0);
        if (some && strcmp(path, td_buf_text(&group.path)) != 0) {
            rc = enter(ledger, pair, &group, err);
            some = false;
            if (rc == 0 && ++count % STEP == 0) {
                rc = td_ledger_commit(ledger, err);
                rc = rc < 0 ? rc : td_ledger_begin(ledger, err);
            }
            if (rc < 0)
                return rc;
            path = td_sql_text(q, 0);
        }
        if (!some)
            begin(&group, path);
        some = true;
        add(&group, q);
    }
    return rc == 0 && some ? enter(ledger, pair, &group, err) : rc;
}

int td_ledger_enter_proofs(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    if (ledger->depth > 0)
        return td_fail_text(err, EINVAL, "proofs cannot be entered within a transaction");
    int rc = any(ledger, pair, err);

    if (rc <= 0)
        return rc;
    rc = sort(ledger, pair, err);
    rc = rc < 0 ? rc : td_ledger_begin(ledger, err);
    if (rc < 0)
        return rc;
    rc = td_summary_spoil(ledger, pair, err);
    rc = rc < 0 ? rc : enter_all(ledger, pair, err);
    if (ledger->depth == 0) /* a commit on the way has failed */
        return rc;
    rc = rc < 0 ? rc : td_proofs_drop(ledger, pair, -1, err);
    rc = td_write_end(ledger, rc, err);
    return rc < 0 ? rc : td_work_simply(ledger, "proofs/clear.sql", err);
}
