/* The text beside each run's directory that says what lies in it. */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TD_FLUSH_AT (64U << 10)

static void td_index_text(struct td_buf *out, const char *text) {
    for (; *text; text++) {
        const char *at = strchr("\n\r\t\\", *text);
        if (at)
            td_buf_printf(out, "\\%c", "nrt\\"[at - "\n\r\t\\"]);
        else
            td_buf_putc(out, *text);
    }
}

static void td_index_hash(struct td_buf *out, bool known, const uint8_t *hash) {
    char hex[2 * TD_HASH_LEN + 1] = "-";
    if (known)
        td_hex(hex, hash, TD_HASH_LEN);
    td_buf_puts(out, hex);
    td_buf_putc(out, '\t');
}

void td_history_index_line(struct td_buf *out, const struct td_version *version) {
    const struct td_entry *entry = &version->entry;
    if (strpbrk(version->place, "\n\r\t\\") || strpbrk(version->path, "\n\r\t\\"))
        td_buf_putc(out, '\\');
    td_buf_printf(out, "%s\t", td_version_names[version->kind]);
    td_index_hash(out, version->has_hash, version->hash);
    td_buf_printf(out, "%" PRIu64 "\t%04o\t%" PRIu32 "\t%" PRIu32 "\t%lld.%09ld\t", entry->size, entry->mode & 07777,
                  entry->uid, entry->gid, (long long)entry->mtime.tv_sec, entry->mtime.tv_nsec);
    td_index_hash(out, version->kind == TD_VERSION_DELTA, version->base);
    td_index_text(out, version->place);
    td_buf_putc(out, '\t');
    td_index_text(out, *version->path ? version->path : "-");
    td_buf_putc(out, '\n');
}

struct td_index {
    int dir, fd;
    char name[TD_HISTORY_NAME_MAX + 16], temporary[TD_HISTORY_NAME_MAX + 20];
    uint64_t written;
    struct td_buf pending;
};

void td_history_index_cancel(struct td_index *index) {
    if (!index)
        return;
    if (index->fd >= 0)
        (void)td_sys.unlinkat(index->dir, index->temporary, 0);
    td_cleanup_fd(&index->fd);
    td_cleanup_fd(&index->dir);
    td_buf_free(&index->pending);
    free(index);
}

int td_history_index_begin(int store, const char *run, struct td_index **out, struct td_error *err) {
    struct td_index *index = calloc(1, sizeof(*index));
    *out = NULL;
    if (!index)
        return td_fail(err, ENOMEM, "cannot write an index");
    index->fd = -1;
    snprintf(index->name, sizeof(index->name), "%.*s.index", TD_HISTORY_NAME_MAX, run);
    snprintf(index->temporary, sizeof(index->temporary), "%s.new", index->name);
    index->dir = td_open_beneath(store, TD_HISTORY, O_RDONLY | O_DIRECTORY, 0);
    if (index->dir >= 0)
        index->fd = openat(index->dir, index->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (index->fd < 0) {
        int rc = td_fail(err, index->dir < 0 ? -index->dir : errno, "cannot write %s", index->name);
        td_history_index_cancel(index);
        return rc;
    }
    td_buf_puts(&index->pending, "# kind\tsha256\tbytes\tmode\tuid\tgid\tmtime\tbase\twhere it lies below "
                                 ".twindock/history\tpath\n");
    *out = index;
    return 0;
}

static int td_index_flush(struct td_index *index) {
    int rc = td_pwrite_all(index->fd, index->pending.data, index->pending.len, (off_t)index->written);
    index->written += index->pending.len;
    td_buf_clear(&index->pending);
    return rc;
}

int td_history_index_add(struct td_index *index, const struct td_version *version, struct td_error *err) {
    td_history_index_line(&index->pending, version);
    int rc = index->pending.len >= TD_FLUSH_AT ? td_index_flush(index) : 0;
    return rc < 0 ? td_fail(err, -rc, "cannot write %s", index->name) : 0;
}

int td_history_index_commit(struct td_index *index, struct td_error *err) {
    int rc = td_index_flush(index);
    if (rc == 0 && td_sys.fsync(index->fd) < 0)
        rc = -errno;
    if (rc == 0 && td_sys.renameat2(index->dir, index->temporary, index->dir, index->name, 0) < 0)
        rc = -errno;
    if (rc == 0) {
        td_cleanup_fd(&index->fd);
        index->fd = -1;
        rc = td_sys.fsync(index->dir) < 0 ? -errno : 0;
    }
    if (rc < 0)
        td_fail(err, -rc, "cannot write %s", index->name);
    td_history_index_cancel(index);
    return rc;
}
