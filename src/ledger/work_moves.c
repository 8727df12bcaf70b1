/*
 * Content that only moved. Old paths about to be deleted are put on offer by size; each new path asks first for the
 * very same file (inode and times), then for a few of equal size and time, then for a few of equal size: a bounded
 * number, so that a hundred thousand files of one size do not cost the square of that.
 */
#include "private.h"

#include "twindock/ledger/work.h"

#include <errno.h>

#define OFFERS 16 /* old paths shown to a new one, of each kind */

typedef int confirm_fn(void *ctx, const char *path, const char *old_path, const uint8_t hash[TD_HASH_LEN],
                       bool same_file);

struct search {
    struct td_ledger *ledger;
    confirm_fn *confirm;
    void *ctx;
};

struct newcomer {
    const char *path;
    int64_t op;
    enum td_why why;
    unsigned members;
    uint64_t size, ino;
    int64_t mtime, mtime_ns;
};

struct offer {
    int64_t op;
    struct td_buf path;
    uint8_t hash[TD_HASH_LEN];
    unsigned moving; /* members on which it can be taken */
};

static void free_offer(struct offer *offer) {
    td_buf_free(&offer->path);
}

/* --- statements -------------------------------------------------------------------------------------- */

#define VALUES(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

/* One that reads the ledger as well, with its numbers. *changed, when wanted: rows. */
static int fill(struct td_ledger *ledger, const char *statement, const int64_t *values, size_t count, int64_t *changed,
                struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        td_sql_bind_int(q, (int)i + 1, values[i]);
    return td_sql_run(q, changed, err);
}

/* One on the working tables alone: on an operation or those of a kind, with a set of members or a kind where it wants
 * one (else 0). */
static int on_ops(struct td_ledger *ledger, const char *statement, int64_t which, int64_t what, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, which);
    if (what)
        td_sql_bind_int(q, 2, what);
    return td_sql_run(q, NULL, err);
}

/* --- preparing --------------------------------------------------------------------------------------- */

static int prepare(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    int rc = td_work_simply(ledger, "work/clear_stay.sql", err);

    rc = rc < 0 ? rc : td_work_simply(ledger, "work/clear_gone.sql", err);
    rc = rc < 0 ? rc : td_work_simply(ledger, "work/clear_fresh.sql", err);
    rc = rc < 0 ? rc : on_ops(ledger, "work/find_stay.sql", TD_ACT_DELETE, 0, err);
    rc = rc < 0 ? rc : fill(ledger, "work/find_gone.sql", VALUES(TD_ACT_DELETE, pair, TD_ACT_MOVE), NULL, err);
    return rc < 0 ? rc : on_ops(ledger, "work/find_fresh.sql", TD_ACT_COPY, 0, err);
}

/* --- taking ------------------------------------------------------------------------------------------ */

/* These members are served otherwise. */
static int take_members(struct td_ledger *ledger, int64_t op, unsigned members, struct td_error *err) {
    int rc = on_ops(ledger, "work/split_op.sql", op, members, err);

    return rc < 0 ? rc : on_ops(ledger, "work/drop_empty_op.sql", op, 0, err);
}

static int take(struct td_ledger *ledger, const struct newcomer *new, const struct offer *offer, struct td_error *err) {
    const struct td_work_op move = {.action = TD_ACT_MOVE,
                                    .why = new->why,
                                    .members = offer->moving,
                                    .path = new->path,
                                    .from = td_buf_text(&offer->path),
                                    .origin = TD_SOURCE,
                                    .size = new->size};
    int rc = td_work_add_op(ledger, &move, err);

    rc = rc < 0 ? rc : take_members(ledger, new->op, offer->moving, err);
    rc = rc < 0 ? rc : on_ops(ledger, "work/forget_op.sql", offer->op, offer->moving, err);
    rc = rc < 0 ? rc : take_members(ledger, offer->op, offer->moving, err);
    return rc < 0 ? rc : on_ops(ledger, "work/take_gone.sql", offer->op, 0, err);
}

/* --- asking ------------------------------------------------------------------------------------------ */

/* Show the offers of one kind until one is confirmed. 1: *offer is it, 0: none was, or a negative errno. */
static int ask_kind(struct search *search, const char *statement, const struct newcomer *new, bool same_file,
                    struct offer *offer, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(search->ledger->sql, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_u64(q, 1, new->size);
    td_sql_bind_u64(q, 2, new->ino);
    td_sql_bind_int(q, 3, new->mtime);
    td_sql_bind_int(q, 4, new->mtime_ns);
    td_sql_bind_int(q, 5, OFFERS);
    while ((rc = td_sql_step(q, err)) > 0) {
        offer->op = td_sql_int(q, 0);
        offer->moving = (unsigned)td_sql_int(q, 3) & new->members;
        if (!offer->moving || !td_sql_hash(q, 2, offer->hash, TD_HASH_LEN))
            continue;
        td_buf_clear(&offer->path);
        td_buf_puts(&offer->path, td_sql_text(q, 1));
        rc = search->confirm(search->ctx, new->path, td_buf_text(&offer->path), offer->hash, same_file);
        if (rc != 0)
            return rc < 0 ? rc : 1;
    }
    return rc;
}

/* The members that take it from an old path; 0: none does, or a negative errno. */
static int ask(struct search *search, const struct newcomer *new, struct td_error *err) {
    __attribute__((cleanup(free_offer))) struct offer offer = {0};
    int rc = ask_kind(search, "work/gone_same.sql", new, true, &offer, err);

    if (rc == 0)
        rc = ask_kind(search, "work/gone_time.sql", new, false, &offer, err);
    if (rc == 0)
        rc = ask_kind(search, "work/gone_size.sql", new, false, &offer, err);
    if (rc <= 0)
        return rc;
    rc = take(search->ledger, new, &offer, err);
    return rc < 0 ? rc : (int)offer.moving;
}

/* The members may have the file by different old paths, where runs were cut off. */
static int ask_for_all(struct search *search, struct newcomer new, struct td_error *err) {
    int rc = 1;

    while (new.members != 0 && (rc = ask(search, &new, err)) > 0)
        new.members &= ~(unsigned)rc;
    return rc < 0 ? rc : 0;
}

int td_work_find_moves(struct td_ledger *ledger, int64_t pair, confirm_fn *confirm, void *ctx, struct td_error *err) {
    struct search search = {.ledger = ledger, .confirm = confirm, .ctx = ctx};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = prepare(ledger, pair, err);

    rc = rc < 0 ? rc : td_sql_take(ledger->sql, "work/fresh.sql", &q, err);
    while (rc >= 0 && (rc = td_sql_step(q, err)) > 0) {
        const struct newcomer new = {.path = td_sql_text(q, 0),
                                     .op = td_sql_int(q, 1),
                                     .why = (enum td_why)td_sql_int(q, 2),
                                     .members = (unsigned)td_sql_int(q, 3),
                                     .size = td_sql_u64(q, 4),
                                     .ino = td_sql_u64(q, 5),
                                     .mtime = td_sql_int(q, 6),
                                     .mtime_ns = td_sql_int(q, 7)};
        rc = ask_for_all(&search, new, err);
    }
    return rc;
}

/* --- moved by a run that was cut off ----------------------------------------------------------------- */

static int any_of(struct td_ledger *ledger, const char *statement, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_work_take(ledger, statement, &q, err);

    rc = rc < 0 ? rc : td_sql_step(q, err);
    return rc <= 0 ? rc : td_sql_int(q, 0) != 0;
}

int td_work_find_astray(struct td_ledger *ledger, int64_t pair, unsigned members, struct td_error *err) {
    int rc = td_work_simply(ledger, "work/clear_astray.sql", err);

    rc = rc < 0 ? rc : fill(ledger, "work/find_astray.sql", VALUES(TD_ACT_DELETE, pair), NULL, err);
    rc = rc < 0 ? rc : fill(ledger, "work/find_astray_held.sql", VALUES(pair), NULL, err);
    rc = rc < 0 ? rc : any_of(ledger, "work/any_astray.sql", err);
    if (rc <= 0)
        return rc;
    return fill(ledger, "work/enter_astray.sql", VALUES(TD_ACT_ENTER, TD_WHY_NEW, members, pair), NULL, err);
}

int td_work_let_go_moved(struct td_ledger *ledger, int64_t pair, unsigned members, uint64_t *files, uint64_t *bytes,
                         struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "work/let_go_moved.sql", &q, err);

    *files = *bytes = 0;
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, TD_ACT_DELETE);
    td_sql_bind_int(q, 2, pair);
    td_sql_bind_int(q, 3, TD_ACT_MOVE);
    td_sql_bind_int(q, 4, members);
    while ((rc = td_sql_step(q, err)) > 0) {
        if (td_sql_is_null(q, 0))
            continue;
        ++*files;
        *bytes += td_sql_u64(q, 0);
    }
    return rc;
}

/* --- held, and elsewhere ----------------------------------------------------------------------------- */

int td_work_move_held(struct td_ledger *ledger, int64_t pair, bool *any, struct td_error *err) {
    int64_t moves = 0;
    int rc = any_of(ledger, "work/any_astray_held.sql", err);

    *any = false;
    if (rc <= 0)
        return rc;
    rc = fill(ledger, "work/move_held.sql", VALUES(TD_ACT_MOVE, TD_ACT_COPY, TD_ACT_DELETE, pair), &moves, err);
    *any = rc == 0 && moves > 0;
    if (!*any)
        return rc;
    rc = on_ops(ledger, "work/drop_held_copies.sql", TD_ACT_MOVE, TD_ACT_COPY, err);
    return rc < 0 ? rc : on_ops(ledger, "work/let_go_held.sql", TD_ACT_MOVE, TD_ACT_DELETE, err);
}
