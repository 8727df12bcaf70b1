#include "twindock/model/entry.h"

#include <stdint.h>
#include <string.h>

#define PERMISSIONS 07777

static uint32_t type_of(const struct td_entry *entry) {
    return entry->mode & S_IFMT;
}

bool td_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* At its ends the kernel keeps no nanoseconds (timestamp_truncate). Filesystems whose end is a time like any other for
 * ext4 (2038) are not in the list: what is set to it on purpose must not pass for what lies beyond. */
bool td_time_kept(const struct timespec *want, const struct timespec *have) {
    static const int64_t first = INT32_MIN; /* ext4 and XFS: 1901-12-13 */
    static const int64_t last[] = {
        15032385535, /* ext4: 2446-05-10 */
        16299260424, /* XFS: 2486-07-02 */
    };
    if (td_same_time(want, have))
        return true;
    if (have->tv_nsec != 0)
        return false;
    if (have->tv_sec == first)
        return want->tv_sec <= first;
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        if (have->tv_sec == last[i])
            return want->tv_sec >= last[i];
    return false;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool td_entry_same_content(const struct td_entry *a, const struct td_entry *b) {
    if (type_of(a) != type_of(b))
        return false;
    switch (type_of(a)) {
    case S_IFREG:
        return a->size == b->size && td_same_time(&a->mtime, &b->mtime);
    case S_IFLNK:
        return same_text(a->target, b->target);
    case S_IFCHR:
    case S_IFBLK:
        return a->rdev == b->rdev;
    default:
        return true; /* directories, fifos and sockets have no content of their own */
    }
}

bool td_entry_same_attributes(const struct td_entry *a, const struct td_entry *b) {
    /* A symlink's mode is fixed by the kernel. */
    if (type_of(a) != S_IFLNK && (a->mode & PERMISSIONS) != (b->mode & PERMISSIONS))
        return false;
    return a->uid == b->uid && a->gid == b->gid && td_same_time(&a->mtime, &b->mtime) &&
           memcmp(a->xattrs, b->xattrs, sizeof(a->xattrs)) == 0;
}

/* The original as the member shows it when its time has been kept as well as can be. */
static struct td_entry as_kept(const struct td_entry *original, const struct td_entry *copy) {
    struct td_entry kept = *original;
    if (td_time_kept(&original->mtime, &copy->mtime))
        kept.mtime = copy->mtime;
    return kept;
}

bool td_entry_kept_content(const struct td_entry *original, const struct td_entry *copy) {
    struct td_entry kept = as_kept(original, copy);
    return td_entry_same_content(&kept, copy);
}

bool td_entry_kept_attributes(const struct td_entry *original, const struct td_entry *copy) {
    struct td_entry kept = as_kept(original, copy);
    return td_entry_same_attributes(&kept, copy);
}

bool td_hash_is_zero(const uint8_t hash[TD_HASH_LEN]) {
    uint8_t any = 0;
    for (int i = 0; i < TD_HASH_LEN; i++)
        any |= hash[i];
    return any == 0;
}

bool td_path_below(const char *above, const char *path) {
    size_t len = strlen(above);
    if (len == 0)
        return true;
    return strncmp(above, path, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
