/*
 * All witnesses side by side: the three walks and the ledger, each in path order, merged by the bytes of their paths.
 * strcmp() compares bytes as unsigned and paths hold no NUL, so its order is that of SQLite's blobs.
 */
#include "private.h"

#include "twindock/ledger/work.h"

#include <errno.h>
#include <string.h>

struct merge {
    struct td_ledger *ledger;
    struct td_sql_stmt *stmt[TD_SIDES];
    struct td_entry entry[TD_SIDES]; /* where the side stands; its path is NULL at its end */
    struct td_pager *pager;
    const struct td_file *file; /* NULL at the end */
    bool any_error;             /* something in the source could not be read */
    bool below_error;           /* is everything in `directory` below such a thing? */
    struct td_buf directory;    /* of the last path asked about */
    bool asked;
    struct td_buf leader;
};

static void close_merge(struct merge *merge) {
    for (int side = 0; side < TD_SIDES; side++)
        td_sql_release(&merge->stmt[side]);
    td_pager_close(&merge->pager);
    td_buf_free(&merge->directory);
    td_buf_free(&merge->leader);
}

static int advance_side(struct merge *merge, int side, struct td_error *err) {
    int rc = td_sql_step(merge->stmt[side], err);

    if (rc > 0)
        td_read_scan(merge->stmt[side], &merge->entry[side]);
    else
        merge->entry[side].path = NULL;
    return rc < 0 ? rc : 0;
}

static int advance_ledger(struct merge *merge, struct td_error *err) {
    int rc = td_pager_next(merge->pager, &merge->file, err);

    if (rc <= 0)
        merge->file = NULL;
    return rc < 0 ? rc : 0;
}

static int check_errors(struct merge *merge, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(merge->ledger->sql, "work/any_error.sql", &q, err);

    rc = rc < 0 ? rc : td_sql_step(q, err);
    if (rc > 0)
        merge->any_error = td_sql_int(q, 0) != 0;
    return rc < 0 ? rc : 0;
}

static int open_merge(struct merge *merge, int64_t pair, struct td_error *err) {
    int rc = td_pager_open(merge->ledger, pair, &merge->pager, err);

    rc = rc < 0 ? rc : check_errors(merge, err);
    rc = rc < 0 ? rc : advance_ledger(merge, err);
    for (int side = 0; rc == 0 && side < TD_SIDES; side++) {
        rc = td_sql_take(merge->ledger->sql, "work/entries.sql", &merge->stmt[side], err);
        if (rc < 0)
            break;
        td_sql_bind_int(merge->stmt[side], 1, side);
        td_sql_bind_int(merge->stmt[side], 2, false);
        rc = advance_side(merge, side, err);
    }
    return rc;
}

/* --- facts about hard links -------------------------------------------------------------------------- */

static bool may_be_linked(const struct td_entry *entry) {
    return entry && entry->nlink > 1 && !S_ISDIR(entry->mode);
}

/* The first path of the source's group, unless this is it. */
static int find_leader(struct merge *merge, struct td_row *row, struct td_error *err) {
    const struct td_entry *entry = row->side[TD_SOURCE];

    if (!may_be_linked(entry))
        return 0;
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(merge->ledger->sql, "work/first_of_group.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, TD_SOURCE);
    td_sql_bind_u64(q, 2, entry->dev);
    td_sql_bind_u64(q, 3, entry->ino);
    rc = td_sql_step(q, err);
    if (rc <= 0)
        return rc;
    const char *first = td_sql_text(q, 0);
    if (strcmp(first, row->path) != 0) {
        td_buf_clear(&merge->leader);
        td_buf_puts(&merge->leader, first);
        row->leader = merge->leader.data;
    }
    return 0;
}

/* Is `leader` on that member the same inode as this path? */
static int find_linked(struct merge *merge, struct td_row *row, int side, struct td_error *err) {
    if (!row->leader || !may_be_linked(row->side[side]))
        return 0;
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(merge->ledger->sql, "work/inode.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    td_sql_bind_bytes(q, 2, row->leader);
    rc = td_sql_step(q, err);
    if (rc > 0)
        row->linked[side] = td_sql_u64(q, 0) == row->side[side]->dev && td_sql_u64(q, 1) == row->side[side]->ino;
    return rc < 0 ? rc : 0;
}

/* Does its inode on that member belong to another file of the source? What goes away has no claim. */
static int find_tangled(struct merge *merge, struct td_row *row, int side, struct td_error *err) {
    const struct td_entry *source = row->side[TD_SOURCE];
    const struct td_entry *entry = row->side[side];

    if (!source || !may_be_linked(entry))
        return 0;
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(merge->ledger->sql, "work/owner.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, side);
    td_sql_bind_u64(q, 2, entry->dev);
    td_sql_bind_u64(q, 3, entry->ino);
    rc = td_sql_step(q, err);
    if (rc > 0)
        row->tangled[side] = strcmp(td_sql_text(q, 0), row->path) != 0 &&
                             (td_sql_u64(q, 1) != source->dev || td_sql_u64(q, 2) != source->ino);
    return rc < 0 ? rc : 0;
}

/* --- what lies below something unreadable ------------------------------------------------------------ */

static int has_error(struct merge *merge, const char *path, size_t len, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(merge->ledger->sql, "work/has_error.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_blob(q, 1, path, len);
    return td_sql_step(q, err);
}

/* Is the directory, or one above it, unreadable in the source? 1, 0 or a negative errno. */
static int errors_above(struct merge *merge, const char *path, size_t len, struct td_error *err) {
    int rc = has_error(merge, path, 0, err);

    for (size_t i = 1; rc == 0 && i <= len; i++)
        if (i == len || path[i] == '/')
            rc = has_error(merge, path, i, err);
    return rc;
}

/* Descendants of one directory need not be neighbours ("a-b" sorts between "a" and "a/b"), so it is looked up by path,
 * once for each run of paths in the same directory. */
static int find_shield(struct merge *merge, struct td_row *row, struct td_error *err) {
    if (!merge->any_error || row->path[0] == '\0')
        return 0;
    const char *slash = strrchr(row->path, '/');
    size_t len = slash ? (size_t)(slash - row->path) : 0;

    if (!merge->asked || merge->directory.len != len || memcmp(td_buf_text(&merge->directory), row->path, len) != 0) {
        int rc = errors_above(merge, row->path, len, err);
        if (rc < 0)
            return rc;
        merge->below_error = rc > 0;
        td_buf_clear(&merge->directory);
        td_buf_add(&merge->directory, row->path, len);
        merge->asked = true;
    }
    row->shielded = merge->below_error;
    return 0;
}

/* --- the merge --------------------------------------------------------------------------------------- */

static const char *smallest_path(const struct merge *merge) {
    const char *path = merge->file ? merge->file->entry.path : NULL;

    for (int side = 0; side < TD_SIDES; side++) {
        const char *other = merge->entry[side].path;
        if (other && (!path || strcmp(other, path) < 0))
            path = other;
    }
    return path;
}

static int make_row(struct merge *merge, const char *path, struct td_row *row, struct td_error *err) {
    memset(row, 0, sizeof(*row));
    row->path = path;
    for (int side = 0; side < TD_SIDES; side++)
        if (merge->entry[side].path && strcmp(merge->entry[side].path, path) == 0)
            row->side[side] = &merge->entry[side];
    if (merge->file && strcmp(merge->file->entry.path, path) == 0)
        row->ledger = merge->file;
    int rc = find_leader(merge, row, err);
    for (int side = TD_A; rc == 0 && side < TD_SIDES; side++) {
        rc = find_linked(merge, row, side, err);
        rc = rc < 0 ? rc : find_tangled(merge, row, side, err);
    }
    return rc < 0 ? rc : find_shield(merge, row, err);
}

/* The row's path belongs to one of those that move on: it is not looked at again. */
static int advance_past(struct merge *merge, const struct td_row *row, struct td_error *err) {
    int rc = 0;

    for (int side = 0; rc == 0 && side < TD_SIDES; side++)
        if (row->side[side])
            rc = advance_side(merge, side, err);
    if (rc == 0 && row->ledger)
        rc = advance_ledger(merge, err);
    return rc;
}

int td_work_rows(struct td_ledger *ledger, int64_t pair, int (*each)(void *ctx, const struct td_row *row), void *ctx,
                 struct td_error *err) {
    __attribute__((cleanup(close_merge))) struct merge merge = {.ledger = ledger};
    const char *path;
    int rc = open_merge(&merge, pair, err);

    while (rc == 0 && (path = smallest_path(&merge))) {
        struct td_row row;
        rc = make_row(&merge, path, &row, err);
        rc = rc < 0 ? rc : each(ctx, &row);
        rc = rc != 0 ? rc : advance_past(&merge, &row, err);
    }
    return rc;
}
