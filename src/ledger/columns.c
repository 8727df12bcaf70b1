#include "private.h"

#include <stdio.h>
#include <string.h>

void td_bind_entry(struct td_sql_stmt *stmt, int first, const struct td_entry *entry) {
    const uint64_t numbers[] = {entry->dev, entry->ino,   entry->mode, entry->uid,
                                entry->gid, entry->nlink, entry->size, entry->blocks};
    const int64_t times[] = {entry->mtime.tv_sec, entry->mtime.tv_nsec, entry->ctime.tv_sec, entry->ctime.tv_nsec};
    int param = first;

    td_sql_bind_bytes(stmt, param++, entry->path);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        td_sql_bind_u64(stmt, param++, numbers[i]);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        td_sql_bind_int(stmt, param++, times[i]);
    td_sql_bind_u64(stmt, param++, entry->rdev);
    td_sql_bind_bytes(stmt, param++, entry->target);
    if (td_hash_is_zero(entry->xattrs))
        td_sql_bind_null(stmt, param);
    else
        td_sql_bind_blob(stmt, param, entry->xattrs, TD_HASH_LEN);
}

void td_bind_source(const struct td_ledger *ledger, struct td_sql_stmt *stmt, int first, const struct td_entry *entry) {
    td_bind_entry(stmt, first, entry);
    if (entry->dev == ledger->source)
        td_sql_bind_u64(stmt, first + 1, 0);
}

void td_read_entry(struct td_sql_stmt *stmt, struct td_entry *entry) {
    memset(entry, 0, sizeof(*entry));
    entry->path = td_sql_text(stmt, 0);
    entry->dev = td_sql_u64(stmt, 1);
    entry->ino = td_sql_u64(stmt, 2);
    entry->mode = (uint32_t)td_sql_u64(stmt, 3);
    entry->uid = (uint32_t)td_sql_u64(stmt, 4);
    entry->gid = (uint32_t)td_sql_u64(stmt, 5);
    entry->nlink = (uint32_t)td_sql_u64(stmt, 6);
    entry->size = td_sql_u64(stmt, 7);
    entry->blocks = td_sql_u64(stmt, 8);
    entry->mtime.tv_sec = td_sql_int(stmt, 9);
    entry->mtime.tv_nsec = (long)td_sql_int(stmt, 10);
    entry->ctime.tv_sec = td_sql_int(stmt, 11);
    entry->ctime.tv_nsec = (long)td_sql_int(stmt, 12);
    entry->rdev = td_sql_u64(stmt, 13);
    entry->target = td_sql_text(stmt, 14);
    td_sql_hash(stmt, 15, entry->xattrs, TD_HASH_LEN); /* NULL stays zeros */
}

void td_read_file(struct td_sql_stmt *stmt, struct td_file *file) {
    int column = TD_ENTRY_COLUMNS;

    memset(file, 0, sizeof(*file));
    td_read_entry(stmt, &file->entry);
    file->has_hash = td_sql_hash(stmt, column++, file->hash, TD_HASH_LEN);
    int64_t held = td_sql_int(stmt, column++);
    file->held = held == TD_HELD;
    file->accepted = held == TD_ACCEPTED;
    for (int side = 0; side < TD_SIDES; side++) {
        file->cycle[side] = td_sql_int(stmt, column++);
        file->proven_at[side] = td_sql_int(stmt, column++);
    }
    file->had = (unsigned)td_sql_int(stmt, column);
}

void td_keep_texts(struct td_buf *texts, struct td_entry *entry) {
    size_t path_len = strlen(entry->path) + 1;

    td_buf_clear(texts);
    td_buf_add(texts, entry->path, path_len);
    if (entry->target)
        td_buf_add(texts, entry->target, strlen(entry->target) + 1);
    entry->path = texts->data;
    if (entry->target)
        entry->target = texts->data + path_len;
}

void td_text_copy(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}
