#include "twindock/run/pages.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void td_pages_free(struct td_pages *pages) {
    free(pages->old);
    free(pages->new);
}

int td_pages_compare(int have, int want, struct td_pages *pages) {
    struct stat before, after;
    if (fstat(have, &before) != 0 || fstat(want, &after) != 0)
        return -errno;
    if (before.st_size % TD_PAGE != 0 || after.st_size % TD_PAGE != 0 || after.st_size < before.st_size)
        return -E2BIG;
    pages->before = (uint32_t)(before.st_size / TD_PAGE);
    pages->old = calloc(TD_PAGES_MOST + 1, TD_PAGE);
    pages->new = calloc(TD_PAGES_MOST + 1, TD_PAGE);
    if (pages->old == NULL || pages->new == NULL)
        return -ENOMEM;
    for (uint32_t page = 0; page < after.st_size / TD_PAGE; page++) {
        uint8_t *old = pages->old[pages->count], *new = pages->new[pages->count];
        bool there = page < pages->before;
        if ((there && td_pread_all(have, old, TD_PAGE, (off_t)page * TD_PAGE) != TD_PAGE) ||
            td_pread_all(want, new, TD_PAGE, (off_t)page * TD_PAGE) != TD_PAGE)
            return -EIO;
        if (page == 0 && (new[16] << 8 | new[17]) != TD_PAGE) /* the size of pages, as the file has it */
            return -E2BIG;
        if (there && memcmp(old, new, TD_PAGE) == 0)
            continue;
        if (pages->count == TD_PAGES_MOST)
            return -E2BIG;
        pages->page[pages->count++] = page + 1;
    }
    return 0;
}

static void put_number(struct td_buf *out, uint32_t n) {
    const uint8_t bytes[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    td_buf_add(out, bytes, sizeof bytes);
}

/* The old pages, as SQLite would have noted them before it changed them. */
static void make_journal(const struct td_pages *pages, struct td_buf *out) {
    static const uint8_t magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    static const char padding[512];
    const uint32_t nonce = 0x7477646b, sector = 512;
    uint32_t records = 0;
    for (uint32_t i = 0; i < pages->count; i++)
        records += pages->page[i] <= pages->before;
    td_buf_add(out, magic, sizeof magic);
    put_number(out, records);
    put_number(out, nonce);
    put_number(out, pages->before);
    put_number(out, sector);
    put_number(out, TD_PAGE);
    td_buf_add(out, padding, sector - out->len);
    for (uint32_t i = 0; i < pages->count; i++) {
        uint32_t sum = nonce;
        if (pages->page[i] > pages->before)
            continue;
        for (int at = (int)TD_PAGE - 200; at > 0; at -= 200)
            sum += pages->old[i][at];
        put_number(out, pages->page[i]);
        td_buf_add(out, pages->old[i], TD_PAGE);
        put_number(out, sum);
    }
}

int td_pages_write_journal(int dir, const char *journal, const struct td_pages *pages) {
    TD_AUTOBUF struct td_buf text = {0};
    TD_AUTOCLOSE int to = openat(dir, journal, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return -errno;
    make_journal(pages, &text);
    int rc = td_pwrite_all(to, text.data, text.len, 0);
    if (rc == 0 && (td_sys.fsync(to) != 0 || td_sys.fsync(dir) != 0))
        rc = -errno;
    return rc;
}

int td_pages_drop_journal(int dir, const char *journal) {
    if (unlinkat(dir, journal, 0) != 0)
        return errno == ENOENT ? 0 : -errno;
    return td_sys.fsync(dir) != 0 ? -errno : 0;
}

int td_pages_write(int dir, int have, const char *journal, const struct td_pages *pages) {
    int rc = td_pages_write_journal(dir, journal, pages);
    for (uint32_t i = 0; i < pages->count && rc == 0; i++)
        rc = td_pwrite_all(have, pages->new[i], TD_PAGE, (off_t)(pages->page[i] - 1) * TD_PAGE);
    if (rc == 0 && td_sys.fsync(have) != 0)
        rc = -errno;
    /* Should a power cut bring the journal back, SQLite takes the copy back to what it was, which is no less whole. */
    if (rc == 0 && unlinkat(dir, journal, 0) != 0)
        rc = -errno;
    return rc;
}
