#include "twindock/model/entry.h"

#include <string.h>

#define PERMISSIONS 07777

static uint32_t type_of(const struct td_entry *entry) {
    return entry->mode & S_IFMT;
}

bool td_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
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
