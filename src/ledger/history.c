/* What members keep, and the tables that say so. */
#include "twindock/ledger/history.h"

#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256

/* A statement on one thing of a member: pair, member, and a place or name. */
static int take_place(struct td_ledger *ledger, const char *statement, int64_t pair, enum td_side member,
                      const char *place, struct td_sql_stmt **out, struct td_error *err) {
    int rc = td_write_take(ledger, statement, out, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(*out, 1, pair);
    td_sql_bind_int(*out, 2, member);
    td_sql_bind_bytes(*out, 3, place);
    return 0;
}

int td_ledger_keep(struct td_ledger *ledger, int64_t pair, enum td_side member, const struct td_version *version,
                   struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    const struct td_entry *entry = &version->entry;
    bool delta = version->kind == TD_VERSION_DELTA;
    int rc = take_place(ledger, "history/keep.sql", pair, member, version->place, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 4, version->run);
    td_sql_bind_text(q, 5, td_version_names[version->kind]);
    td_sql_bind_bytes(q, 6, version->path);
    td_sql_bind_u64(q, 7, entry->mode);
    td_sql_bind_u64(q, 8, entry->uid);
    td_sql_bind_u64(q, 9, entry->gid);
    td_sql_bind_u64(q, 10, entry->size);
    td_sql_bind_int(q, 11, entry->mtime.tv_sec);
    td_sql_bind_int(q, 12, entry->mtime.tv_nsec);
    td_sql_bind_blob(q, 13, td_hash_is_zero(entry->xattrs) ? NULL : entry->xattrs, TD_HASH_LEN);
    td_sql_bind_blob(q, 14, version->has_hash ? version->hash : NULL, TD_HASH_LEN);
    td_sql_bind_blob(q, 15, delta ? version->base : NULL, TD_HASH_LEN);
    td_sql_bind_blob(q, 16, delta ? version->stored : version->has_hash ? version->hash : NULL, TD_HASH_LEN);
    td_sql_bind_u64(q, 17, version->stored_size);
    return td_sql_run(q, NULL, err);
}

int td_ledger_drop_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                        struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = take_place(ledger, "history/drop_kept.sql", pair, member, place, &q, err);

    return rc < 0 ? rc : td_sql_run(q, NULL, err);
}

int td_ledger_has_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                       struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/has_kept.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    td_sql_bind_bytes(q, 3, place);
    rc = td_sql_step(q, err);
    return rc < 0 ? rc : rc > 0 ? 0 : -ENOENT;
}

/* --- reading them ------------------------------------------------------------------------------------- */

/* Some hundred at a time, so that what is called may write. */
struct page {
    struct td_version versions[PAGE];
    char *texts[2 * PAGE];
    size_t count;
};

static void clear_page(struct page *page) {
    for (size_t i = 0; i < 2 * page->count; i++)
        free(page->texts[i]);
    page->count = 0;
}

static int read_version(struct td_sql_stmt *q, struct page *page, struct td_error *err) {
    struct td_version *version = &page->versions[page->count];
    char **place = &page->texts[2 * page->count], **path = place + 1;

    *version = (struct td_version){0};
    *place = strdup(td_sql_text(q, 0));
    *path = strdup(td_sql_text(q, 3));
    page->count++;
    if (!*place || !*path)
        return td_fail(err, ENOMEM, "reading the history");
    version->place = *place;
    version->run = td_sql_int(q, 1);
    if (!td_version_from(td_sql_text(q, 2), &version->kind))
        return td_fail_text(err, EUCLEAN, "the ledger's history is damaged");
    version->path = version->entry.path = *path;
    version->entry.mode = (uint32_t)td_sql_u64(q, 4);
    version->entry.uid = (uint32_t)td_sql_u64(q, 5);
    version->entry.gid = (uint32_t)td_sql_u64(q, 6);
    version->entry.size = td_sql_u64(q, 7);
    version->entry.mtime.tv_sec = td_sql_int(q, 8);
    version->entry.mtime.tv_nsec = (long)td_sql_int(q, 9);
    td_sql_hash(q, 10, version->entry.xattrs, TD_HASH_LEN);
    version->has_hash = td_sql_hash(q, 11, version->hash, TD_HASH_LEN);
    td_sql_hash(q, 12, version->base, TD_HASH_LEN);
    td_sql_hash(q, 13, version->stored, TD_HASH_LEN);
    version->stored_size = td_sql_u64(q, 14);
    return 0;
}

static int fill_page(struct td_ledger *ledger, const char *statement, int64_t pair, enum td_side member,
                     const char *after, int64_t value, struct page *page, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    td_sql_bind_bytes(q, 3, after);
    td_sql_bind_int(q, 4, value);
    td_sql_bind_int(q, 5, PAGE);
    while ((rc = td_sql_step(q, err)) > 0)
        if ((rc = read_version(q, page, err)) < 0)
            return rc;
    return rc;
}

static int each_kept(struct td_ledger *ledger, const char *statement, int64_t pair, enum td_side member, int64_t value,
                     int (*each)(void *ctx, const struct td_version *version), void *ctx, struct td_error *err) {
    TD_AUTOFREE struct page *page = calloc(1, sizeof(*page));
    TD_AUTOFREE char *after = strdup("");
    bool more = true;
    int rc = page && after ? 0 : td_fail(err, ENOMEM, "reading the history");

    while (rc == 0 && more) {
        rc = fill_page(ledger, statement, pair, member, after, value, page, err);
        more = page->count == PAGE;
        if (rc == 0 && page->count > 0) {
            free(after);
            after = strdup(page->versions[page->count - 1].place);
            rc = after ? 0 : td_fail(err, ENOMEM, "reading the history");
        }
        for (size_t i = 0; rc == 0 && i < page->count; i++)
            rc = each(ctx, &page->versions[i]);
        clear_page(page);
    }
    return rc;
}

int td_ledger_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, int64_t run,
                   int (*each)(void *ctx, const struct td_version *version), void *ctx, struct td_error *err) {
    return each_kept(ledger, "history/kept_after.sql", pair, member, run, each, ctx, err);
}

int td_ledger_kept_unproven(struct td_ledger *ledger, int64_t pair, enum td_side member, int64_t cycle,
                            int (*each)(void *ctx, const struct td_version *version), void *ctx, struct td_error *err) {
    return each_kept(ledger, "history/kept_unproven.sql", pair, member, cycle, each, ctx, err);
}

int td_ledger_prove_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place, int64_t cycle,
                         int64_t when, bool lost, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = take_place(ledger, "history/prove_kept.sql", pair, member, place, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 4, cycle);
    td_sql_bind_int(q, 5, when);
    td_sql_bind_int(q, 6, lost);
    return td_sql_run(q, NULL, err);
}

int td_ledger_doubt_kept(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *place,
                         struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = take_place(ledger, "history/doubt_kept.sql", pair, member, place, &q, err);

    return rc < 0 ? rc : td_sql_run(q, NULL, err);
}

/* --- directories -------------------------------------------------------------------------------------- */

static int on_name(struct td_ledger *ledger, const char *statement, int64_t pair, enum td_side member, const char *name,
                   int64_t run, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    if (name)
        td_sql_bind_text(q, 3, name);
    else
        td_sql_bind_int(q, 3, run);
    if (name && run >= 0)
        td_sql_bind_int(q, 4, run);
    return td_sql_run(q, NULL, err);
}

int td_ledger_settle(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name, int64_t run,
                     struct td_error *err) {
    return on_name(ledger, "history/settle.sql", pair, member, name, run, err);
}

int td_ledger_disturb(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name,
                      struct td_error *err) {
    return on_name(ledger, "history/unsettle.sql", pair, member, name, -1, err);
}

struct settled_name {
    struct settled_name *next;
    int64_t run;
    char name[64];
};

int td_ledger_settled(struct td_ledger *ledger, int64_t pair, enum td_side member,
                      int (*each)(void *ctx, const char *name, int64_t run), void *ctx, struct td_error *err) {
    struct settled_name *first = NULL, **last = &first;
    struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "history/settled.sql", &q, err);

    if (rc == 0) {
        td_sql_bind_int(q, 1, pair);
        td_sql_bind_int(q, 2, member);
        while ((rc = td_sql_step(q, err)) > 0 && (*last = calloc(1, sizeof(**last))) != NULL) {
            td_text_copy((*last)->name, sizeof((*last)->name), td_sql_text(q, 0));
            (*last)->run = td_sql_int(q, 1);
            last = &(*last)->next;
        }
        rc = rc > 0 ? td_fail(err, ENOMEM, "reading the history") : rc;
    }
    td_sql_release(&q);
    for (struct settled_name *name = first, *next; name; name = next) {
        next = name->next;
        if (rc == 0)
            rc = each(ctx, name->name, name->run);
        free(name);
    }
    return rc;
}

static int drop_run(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name,
                    struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    TD_AUTOBUF struct td_buf from = {0}, to = {0};
    int rc = td_write_take(ledger, "history/drop_run.sql", &q, err);

    if (rc < 0)
        return rc;
    td_buf_printf(&from, "%s/", name);
    td_buf_printf(&to, "%s0", name); /* '0' follows '/' */
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    td_sql_bind_bytes(q, 3, from.data);
    td_sql_bind_bytes(q, 4, to.data);
    return td_sql_run(q, NULL, err);
}

int td_ledger_unsettle(struct td_ledger *ledger, int64_t pair, enum td_side member, const char *name, int64_t run,
                       struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = drop_run(ledger, pair, member, name, err);
    rc = rc < 0 ? rc : on_name(ledger, "history/unsettle.sql", pair, member, name, -1, err);
    rc = rc < 0 ? rc : on_name(ledger, "history/give_up.sql", pair, member, NULL, run, err);
    return td_write_end(ledger, rc, err);
}

int td_ledger_prune(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "history/prune.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    return td_sql_run(q, NULL, err);
}
