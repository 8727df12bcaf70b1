/* Going back: trees as they were, what changed, and where a content is. */
#include "private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/ledger/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_run(struct td_sql_stmt *q, int64_t *run, int64_t *started, struct td_error *err) {
    int rc = td_sql_step(q, err);

    if (rc <= 0)
        return rc < 0 ? rc : td_fail_text(err, ENOENT, "there is no such backup in the ledger");
    *run = td_sql_int(q, 0);
    *started = td_sql_int(q, 1);
    return 0;
}

/* --- when ---------------------------------------------------------------------------------------------- */

struct moment {
    int64_t run, time;
    size_t length; /* of the longest row that ends here */
    size_t before; /* the one before it in that row; itself: it is the first */
};

struct moments {
    struct moment *at;
    size_t count;
};

static int add_moment(struct moments *moments, int64_t run, int64_t time, struct td_error *err) {
    struct moment *at = reallocarray(moments->at, moments->count + 1, sizeof *at);

    if (at == NULL)
        return td_fail(err, ENOMEM, "reading the history");
    moments->at = at;
    at[moments->count++] = (struct moment){.run = run, .time = time};
    return 0;
}

static int read_moments(struct td_ledger *ledger, int64_t pair, struct moments *moments, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/backups.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    while ((rc = td_sql_step(q, err)) > 0)
        if ((rc = add_moment(moments, td_sql_int(q, 0), td_sql_int(q, 1), err)) < 0)
            return rc;
    return rc;
}

/* Numbers order the runs; their times are those of a clock that may have been wrong, ahead or behind. Those are
 * believed that can be right together, the most of them: the longest row that never goes back. The last of it. */
static size_t believe(struct moments *moments) {
    size_t last = 0;

    for (size_t i = 0; i < moments->count; i++) {
        struct moment *moment = &moments->at[i];
        moment->length = 1;
        moment->before = i;
        for (size_t k = i; k-- > 0;)
            if (moments->at[k].time <= moment->time && moments->at[k].length >= moment->length) {
                moment->length = moments->at[k].length + 1;
                moment->before = k;
            }
        if (moment->length >= moments->at[last].length)
            last = i;
    }
    return last;
}

/* The newest of them at `when`; NULL: all are later. The last one is no run but the present. */
static const struct moment *moment_at(struct moments *moments, int64_t when) {
    const struct moment *all = moments->at;
    size_t now = moments->count - 1, at = believe(moments);

    if (at == now && when >= all[now].time)
        return &all[now - 1]; /* whatever its own time: it was before now */
    while (at == now || all[at].time > when) {
        if (all[at].before == at)
            return NULL;
        at = all[at].before;
    }
    return &all[at];
}

int td_ledger_run_at(struct td_ledger *ledger, int64_t pair, int64_t when, int64_t *run, int64_t *started,
                     struct td_error *err) {
    struct moments moments = {0};
    const struct moment *found = NULL;
    int rc = read_moments(ledger, pair, &moments, err);

    if (rc == 0 && moments.count > 0) {
        found = &moments.at[moments.count - 1];
        if (when != INT64_MAX && (rc = add_moment(&moments, 0, td_wall_seconds(), err)) == 0)
            found = moment_at(&moments, when);
    }
    if (rc == 0 && found != NULL) {
        *run = found->run;
        *started = found->time;
    } else if (rc == 0) {
        rc = td_fail_text(err, ENOENT, "there is no such backup in the ledger");
    }
    free(moments.at);
    return rc;
}

int td_ledger_history_begins(struct td_ledger *ledger, int64_t pair, int64_t *run, int64_t *started,
                             struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/begins.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    return read_run(q, run, started, err);
}

static void read_state(struct td_sql_stmt *q, struct td_state *state) {
    *state = (struct td_state){0}; /* no hash is all zeros: names of one link are told by it, too */
    td_read_entry(q, &state->entry);
    state->has_hash = td_sql_hash(q, 16, state->hash, TD_HASH_LEN);
    state->since = td_sql_int(q, 17);
    state->until = td_sql_int(q, 18);
}

/* `path` and what lies below it: the texts between which that is. */
static void bind_below(struct td_sql_stmt *q, int param, const char *path, struct td_buf *from, struct td_buf *to) {
    if (*path == '\0') {
        td_sql_bind_bytes(q, param, "");
        td_sql_bind_bytes(q, param + 1, "");
        td_sql_bind_null(q, param + 2);
        return;
    }
    td_buf_printf(from, "%s/", path);
    td_buf_printf(to, "%s0", path); /* '0' follows '/' */
    td_sql_bind_bytes(q, param, path);
    td_sql_bind_bytes(q, param + 1, from->data);
    td_sql_bind_bytes(q, param + 2, to->data);
}

int td_ledger_tree(struct td_ledger *ledger, int64_t pair, int64_t run, const char *path,
                   int (*each)(void *ctx, const struct td_state *state), void *ctx, struct td_error *err) {
    TD_AUTOBUF struct td_buf from = {0}, to = {0};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    struct td_state state;
    int rc = td_ledger_take(ledger, "history/tree.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, run);
    bind_below(q, 3, path, &from, &to);
    while ((rc = td_sql_step(q, err)) > 0) {
        read_state(q, &state);
        if ((rc = each(ctx, &state)) != 0)
            return rc;
    }
    return rc;
}

int td_ledger_deleted(struct td_ledger *ledger, int64_t pair, int64_t run, const char *path, int64_t *gone,
                      int64_t *before, struct td_error *err) {
    TD_AUTOBUF struct td_buf from = {0}, to = {0};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int64_t had = 0, started = 0;
    int rc = td_ledger_take(ledger, "history/deleted.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, run);
    bind_below(q, 3, path, &from, &to);
    rc = td_sql_step(q, err);
    if (rc <= 0)
        return rc < 0 ? rc : -ENOENT;
    *gone = td_sql_int(q, 0);
    *before = td_sql_int(q, 2);
    rc = td_ledger_run_at(ledger, pair, *before, &had, &started, err);
    return rc == 0 && had != td_sql_int(q, 1) ? -ENOENT : rc; /* its time is that of another one, too */
}

static void read_place(struct td_sql_stmt *q, struct td_change *change, enum td_side member) {
    int column = 24 + (int)member;

    bool live = td_sql_int(q, 18 + (int)member) != 0;
    if (live && (change->state.until == 0 || td_sql_is_null(q, column))) {
        change->how[member] = 'l';
        return;
    }
    if (td_sql_is_null(q, column))
        return;
    int64_t value = td_sql_int(q, column);
    change->how[member] = value >> 48 != 0 ? 'd' : 'w';
    change->stored[member] = (uint64_t)(value & ((1LL << 48) - 1));
}

int td_ledger_changes(struct td_ledger *ledger, int64_t pair, const char *path,
                      int (*each)(void *ctx, const struct td_change *change), void *ctx, struct td_error *err) {
    TD_AUTOBUF struct td_buf from = {0}, to = {0};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/changes.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    bind_below(q, 2, path, &from, &to);
    while ((rc = td_sql_step(q, err)) > 0) {
        struct td_change change = {0};
        read_state(q, &change.state);
        change.began = td_sql_int(q, 21);
        change.ended = td_sql_int(q, 22);
        change.first = td_sql_int(q, 23) != 0;
        change.gone = td_sql_int(q, 24) != 0;
        read_place(q, &change, TD_A);
        read_place(q, &change, TD_B);
        if ((rc = each(ctx, &change)) != 0)
            return rc;
    }
    return rc;
}

/* --- contents ----------------------------------------------------------------------------------------- */

/* Where contents are in the collection: asked of the whole table once. */
static int look_live(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    static const char *const fills[] = {"history/live_fill.sql", "history/live_fill_xattrs.sql"};
    int rc = 0;

    if (ledger->live_of == pair)
        return 0;
    rc = td_sql_script(ledger->sql, "history/live_tables.sql", err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        TD_AUTOSQL struct td_sql_stmt *q = NULL;
        rc = td_ledger_take(ledger, fills[i], &q, err);
        if (rc < 0)
            break;
        td_sql_bind_int(q, 1, pair);
        rc = td_sql_run(q, NULL, err);
    }
    if (rc == 0)
        ledger->live_of = pair;
    return rc;
}

enum where { LIVE, LEFT, KEPT };

static int each_source(struct td_ledger *ledger, const char *statement, int64_t pair, enum td_side member,
                       const uint8_t hash[TD_HASH_LEN], enum where where,
                       int (*each)(void *ctx, const struct td_source *source), void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, statement, &q, err);
    bool live = where != KEPT;

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_blob(q, 2, hash, TD_HASH_LEN);
    td_sql_bind_int(q, 3, member);
    while ((rc = td_sql_step(q, err)) > 0) {
        struct td_source source = {0};
        if (live)
            source.path = td_sql_text(q, 0);
        else
            source.place = td_sql_text(q, 0);
        if (!live && !td_version_from(td_sql_text(q, 1), &source.kind))
            return td_fail_text(err, EUCLEAN, "the ledger's history is damaged");
        if (!live) {
            td_sql_hash(q, 2, source.base, TD_HASH_LEN);
            td_sql_hash(q, 3, source.stored, TD_HASH_LEN);
            source.size = td_sql_u64(q, 4);
        }
        source.left = where == LEFT;
        if (source.left) {
            source.size = td_sql_u64(q, 1);
            source.mtime.tv_sec = td_sql_int(q, 2);
            source.mtime.tv_nsec = (long)td_sql_int(q, 3);
        }
        if ((rc = each(ctx, &source)) != 0)
            return rc;
    }
    return rc;
}

int td_ledger_find(struct td_ledger *ledger, int64_t pair, enum td_side member, const uint8_t hash[TD_HASH_LEN],
                   int (*each)(void *ctx, const struct td_source *source), void *ctx, struct td_error *err) {
    int rc = look_live(ledger, pair, err);

    if (rc == 0)
        rc = each_source(ledger, "history/live_of.sql", pair, member, hash, LIVE, each, ctx, err);
    if (rc == 0)
        rc = each_source(ledger, "history/kept_of.sql", pair, member, hash, KEPT, each, ctx, err);
    return rc != 0 ? rc : each_source(ledger, "history/left_of.sql", pair, member, hash, LEFT, each, ctx, err);
}

int td_ledger_find_xattrs(struct td_ledger *ledger, int64_t pair, enum td_side member,
                          const uint8_t xattrs[TD_HASH_LEN], int (*each)(void *ctx, const struct td_source *source),
                          void *ctx, struct td_error *err) {
    int rc = look_live(ledger, pair, err);

    if (rc == 0)
        rc = each_source(ledger, "history/live_xattrs.sql", pair, member, xattrs, LIVE, each, ctx, err);
    return rc != 0 ? rc : each_source(ledger, "history/kept_xattrs.sql", pair, member, xattrs, KEPT, each, ctx, err);
}

int td_ledger_example(struct td_ledger *ledger, int64_t pair, enum td_side member, char **place, char **base,
                      struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/example.sql", &q, err);

    *place = *base = NULL;
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    rc = td_sql_step(q, err);
    if (rc <= 0)
        return rc;
    *place = strdup(td_sql_text(q, 0));
    *base = strdup(td_sql_text(q, 1));
    return *place && *base ? 0 : td_fail(err, ENOMEM, "reading the history");
}

int td_ledger_paths_of(struct td_ledger *ledger, int64_t pair, const uint8_t hash[TD_HASH_LEN],
                       int (*each)(void *ctx, const char *path, uint64_t size), void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = look_live(ledger, pair, err);

    rc = rc < 0 ? rc : td_ledger_take(ledger, "history/paths_of.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_blob(q, 2, hash, TD_HASH_LEN);
    while ((rc = td_sql_step(q, err)) > 0)
        if ((rc = each(ctx, td_sql_text(q, 0), td_sql_u64(q, 1))) != 0)
            return rc;
    return rc;
}

int td_ledger_knows_path(struct td_ledger *ledger, int64_t pair, const char *path, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/has_path.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_bytes(q, 2, path);
    rc = td_sql_step(q, err);
    return rc > 0 ? td_sql_int(q, 0) != 0 : rc;
}

/* --- drills ------------------------------------------------------------------------------------------- */

int td_ledger_drill(struct td_ledger *ledger, int64_t pair, int64_t at, uint64_t files, uint64_t bytes, uint64_t failed,
                    struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "history/add_drill.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, at);
    td_sql_bind_u64(q, 3, files);
    td_sql_bind_u64(q, 4, bytes);
    td_sql_bind_u64(q, 5, failed);
    return td_sql_run(q, NULL, err);
}

int td_ledger_last_drill(struct td_ledger *ledger, int64_t pair, int64_t *at, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/last_drill.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    rc = td_sql_step(q, err);
    *at = rc > 0 ? td_sql_int(q, 0) : 0;
    return rc < 0 ? rc : 0;
}

int td_ledger_pick(struct td_ledger *ledger, int64_t pair, int64_t count,
                   int (*each)(void *ctx, const struct td_state *state), void *ctx, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    struct td_state state;
    int rc = td_ledger_take(ledger, "history/pick.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, count);
    while ((rc = td_sql_step(q, err)) > 0) {
        read_state(q, &state);
        if ((rc = each(ctx, &state)) != 0)
            return rc;
    }
    return rc;
}
