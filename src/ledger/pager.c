#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256
#define NO_TEXT SIZE_MAX

struct td_pager {
    struct td_ledger *ledger;
    int64_t pair;
    size_t count, next;
    bool started, ended;
    struct td_buf texts; /* paths and targets of the page */
    struct td_buf last;  /* the last path of the page before */
    struct td_file files[PAGE];
    size_t path_at[PAGE], target_at[PAGE]; /* in `texts`, which moves while it grows */
};

int td_pager_open(struct td_ledger *ledger, int64_t pair, struct td_pager **out, struct td_error *err) {
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return td_fail(err, ENOMEM, "reading the ledger's files");
    (*out)->ledger = ledger;
    (*out)->pair = pair;
    return 0;
}

void td_pager_close(struct td_pager **pager) {
    if (!*pager)
        return;
    td_buf_free(&(*pager)->texts);
    td_buf_free(&(*pager)->last);
    free(*pager);
    *pager = NULL;
}

static size_t store(struct td_buf *texts, const char *text) {
    size_t at = texts->len;

    if (!text)
        return NO_TEXT;
    td_buf_add(texts, text, strlen(text) + 1);
    return at;
}

static int run_page(struct td_pager *pager, struct td_sql_stmt *q, struct td_error *err) {
    int rc;

    td_sql_bind_int(q, 1, pager->pair);
    td_sql_bind_int(q, 2, PAGE);
    if (pager->started)
        td_sql_bind_bytes(q, 3, td_buf_text(&pager->last));
    while ((rc = td_sql_step(q, err)) > 0 && pager->count < PAGE) {
        struct td_file *file = &pager->files[pager->count];
        td_read_file(q, file);
        pager->path_at[pager->count] = store(&pager->texts, file->entry.path);
        pager->target_at[pager->count] = store(&pager->texts, file->entry.target);
        pager->count++;
    }
    return rc;
}

static int fill(struct td_pager *pager, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;

    if (pager->started) {
        td_buf_clear(&pager->last);
        td_buf_puts(&pager->last, pager->files[pager->count - 1].entry.path);
    }
    pager->count = pager->next = 0;
    td_buf_clear(&pager->texts);
    int rc =
        td_ledger_take(pager->ledger, pager->started ? "queries/files_after.sql" : "queries/files_first.sql", &q, err);
    rc = rc < 0 ? rc : run_page(pager, q, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < pager->count; i++) {
        struct td_entry *entry = &pager->files[i].entry;
        entry->path = pager->texts.data + pager->path_at[i];
        entry->target = pager->target_at[i] == NO_TEXT ? NULL : pager->texts.data + pager->target_at[i];
    }
    pager->started = true;
    pager->ended = pager->count < PAGE;
    return 0;
}

int td_pager_next(struct td_pager *pager, const struct td_file **out, struct td_error *err) {
    if (pager->next == pager->count) {
        int rc = pager->ended ? 0 : fill(pager, err);
        if (rc < 0 || pager->next == pager->count) {
            pager->ended = true;
            return rc;
        }
    }
    *out = &pager->files[pager->next++];
    return 1;
}
