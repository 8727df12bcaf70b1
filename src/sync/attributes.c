/*
 * Metadata of one entry, read and applied.
 *
 * The system calls for extended attributes take a path or an open file, and opening is not possible for symlinks
 * and would have effects on devices. "/proc/self/fd/<dirfd>/<name>" reaches exactly one component below a directory
 * that is already held, so nothing that is swapped in above it can lead elsewhere.
 */
#include "twindock/sync/attributes.h"

#include "twindock/base/cleanup.h"
#include "twindock/platform/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VALUE_MAX 65536U /* XATTR_SIZE_MAX and XATTR_LIST_MAX, xattr(7) */
#define LIST_SMALL 1024U /* most lists fit into this */

/* One entry as the xattr calls want it: either below a directory and not followed, or the descriptor itself, which
 * is reached by following the link in /proc, and that goes no further. */
struct place {
    char path[NAME_MAX + 48];
    bool self;
};

static int place_make(struct place *place, int dirfd, const char *name) {
    size_t len = strlen(name);
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    place->self = len == 0;
    snprintf(place->path, sizeof(place->path), place->self ? "/proc/self/fd/%d%s" : "/proc/self/fd/%d/%s", dirfd, name);
    return 0;
}

static ssize_t place_list(const struct place *place, char *list, size_t size) {
    ssize_t n = place->self ? listxattr(place->path, list, size) : llistxattr(place->path, list, size);
    return n < 0 ? -errno : n;
}

static ssize_t place_get(const struct place *place, const char *name, void *value, size_t size) {
    ssize_t n = place->self ? getxattr(place->path, name, value, size) : lgetxattr(place->path, name, value, size);
    return n < 0 ? -errno : n;
}

static int place_set(const struct place *place, const char *name, const void *value, size_t size) {
    int rc = place->self ? setxattr(place->path, name, value, size, 0) : lsetxattr(place->path, name, value, size, 0);
    return rc < 0 ? -errno : 0;
}

static int place_remove(const struct place *place, const char *name) {
    int rc = place->self ? removexattr(place->path, name) : lremovexattr(place->path, name);
    return rc < 0 && errno != ENODATA ? -errno : 0;
}

/* The names that twindock keeps, sorted. */
struct names {
    char *list; /* as the kernel gave it; owned */
    const char **name;
    size_t count;
};

static void names_free(struct names *names) {
    free(names->list);
    free(names->name);
    *names = (struct names){0};
}

#define AUTONAMES __attribute__((cleanup(names_free)))

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* XFS shows a file's ACLs a second time under names of its own. */
static bool is_kept(const char *name) {
    if (starts_with(name, "trusted.SGI_ACL_"))
        return false;
    return starts_with(name, "user.") || starts_with(name, "trusted.") || starts_with(name, "security.") ||
           strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The list as a malloc'ed block; NULL and 0 when there is none. */
static ssize_t list_read(const struct place *place, char **out) {
    char small[LIST_SMALL];
    *out = NULL;
    ssize_t n = place_list(place, small, sizeof(small));
    if (n == -ENOTSUP || n == -ENODATA)
        return 0;
    if (n != -ERANGE && n <= 0)
        return n;
    char *list = malloc(n == -ERANGE ? VALUE_MAX : (size_t)n);
    if (!list)
        return -ENOMEM;
    if (n == -ERANGE)
        n = place_list(place, list, VALUE_MAX);
    else
        memcpy(list, small, (size_t)n);
    if (n <= 0) {
        free(list);
        return n;
    }
    *out = list;
    return n;
}

static int names_read(const struct place *place, struct names *out) {
    *out = (struct names){0};
    ssize_t len = list_read(place, &out->list);
    if (len <= 0)
        return (int)len;
    const char *end = out->list + len;
    size_t total = 0;
    for (const char *at = out->list; at < end; at += strlen(at) + 1)
        total++;
    out->name = calloc(total, sizeof(*out->name));
    if (!out->name) {
        names_free(out);
        return -ENOMEM;
    }
    for (const char *at = out->list; at < end; at += strlen(at) + 1)
        if (is_kept(at))
            out->name[out->count++] = at;
    if (out->count > 1)
        qsort(out->name, out->count, sizeof(*out->name), by_name);
    return 0;
}

static bool names_have(const struct names *names, const char *name) {
    if (names->count == 0)
        return false;
    return bsearch(&name, names->name, names->count, sizeof(*names->name), by_name) != NULL;
}

static int digest_one(struct td_digest *digest, const char *name, const void *value, size_t len) {
    uint8_t length[8];
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (uint8_t)((uint64_t)len >> (8 * i));
    int rc = td_digest_add(digest, name, strlen(name) + 1);
    if (rc == 0)
        rc = td_digest_add(digest, length, sizeof(length));
    return rc == 0 ? td_digest_add(digest, value, len) : rc;
}

static int digest_names(const struct place *place, const struct names *names, uint8_t out[TD_HASH_LEN]) {
    TD_AUTOFREE void *value = malloc(VALUE_MAX);
    struct td_digest *digest = td_digest_new(NULL);
    int rc = value && digest ? td_digest_start(digest) : -ENOMEM;
    size_t found = 0;
    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        ssize_t len = place_get(place, names->name[i], value, VALUE_MAX);
        if (len == -ENODATA) /* removed since it was listed */
            continue;
        rc = len < 0 ? (int)len : digest_one(digest, names->name[i], value, (size_t)len);
        found++;
    }
    if (rc == 0 && found > 0)
        rc = td_digest_end(digest, out);
    td_digest_free(digest);
    return rc;
}

int td_xattr_digest(int dirfd, const char *name, uint8_t out[TD_HASH_LEN]) {
    struct place place;
    AUTONAMES struct names names = {0};
    memset(out, 0, TD_HASH_LEN);
    int rc = place_make(&place, dirfd, name);
    if (rc == 0)
        rc = names_read(&place, &names);
    if (rc == 0 && names.count > 0)
        rc = digest_names(&place, &names, out);
    return rc;
}

static int remove_others(const struct place *dst, const struct names *have, const struct names *want,
                         struct td_error *err) {
    for (size_t i = 0; i < have->count; i++) {
        if (names_have(want, have->name[i]))
            continue;
        int rc = place_remove(dst, have->name[i]);
        if (rc < 0)
            return td_fail(err, -rc, "cannot remove the extended attribute %s", have->name[i]);
    }
    return 0;
}

/* Not for want of room in general: that is EDQUOT, or the caller finds it out. */
static bool is_misfit(int rc) {
    return rc == -ENOSPC || rc == -E2BIG || rc == -ERANGE || rc == -ENOTSUP;
}

static void note_misfit(struct td_unkept *unkept, const char *name, size_t size, int error) {
    if (unkept->error != 0) {
        unkept->others++;
        return;
    }
    unkept->error = error;
    unkept->size = size;
    snprintf(unkept->name, sizeof unkept->name, "%s", name);
}

/* Copy one attribute unless it is there already with this value. `value` and `old` hold VALUE_MAX bytes. */
static int copy_one(const struct place *src, const struct place *dst, const char *name, void *value, void *old,
                    struct td_unkept *unkept, struct td_error *err) {
    ssize_t len = place_get(src, name, value, VALUE_MAX);
    if (len < 0)
        return td_fail(err, (int)-len, "cannot read the extended attribute %s", name);
    if (place_get(dst, name, old, VALUE_MAX) == len && memcmp(old, value, (size_t)len) == 0)
        return 0;
    int rc = place_set(dst, name, value, (size_t)len);
    if (unkept != NULL && is_misfit(rc)) {
        note_misfit(unkept, name, (size_t)len, -rc);
        (void)place_remove(dst, name); /* an old value would pass for the new one */
        return 0;
    }
    if (rc < 0)
        return td_fail(err, -rc, "cannot set the extended attribute %s", name);
    return 0;
}

static int copy_all(int srcdir, const char *src, int dstdir, const char *dst, struct td_unkept *unkept,
                    struct td_error *err) {
    struct place from, to;
    AUTONAMES struct names want = {0};
    AUTONAMES struct names have = {0};
    int rc = place_make(&from, srcdir, src);
    if (rc == 0)
        rc = place_make(&to, dstdir, dst);
    if (rc == 0)
        rc = names_read(&from, &want);
    if (rc == 0)
        rc = names_read(&to, &have);
    if (rc < 0)
        return td_fail(err, -rc, "cannot list extended attributes");
    rc = remove_others(&to, &have, &want, err);
    if (rc < 0 || want.count == 0)
        return rc;
    TD_AUTOFREE void *value = malloc(VALUE_MAX);
    TD_AUTOFREE void *old = malloc(VALUE_MAX);
    if (!value || !old)
        return td_fail(err, ENOMEM, "cannot copy extended attributes");
    for (size_t i = 0; rc == 0 && i < want.count; i++)
        rc = copy_one(&from, &to, want.name[i], value, old, unkept, err);
    return rc;
}

int td_xattr_copy(int srcdir, const char *src, int dstdir, const char *dst, struct td_error *err) {
    return copy_all(srcdir, src, dstdir, dst, NULL, err);
}

int td_xattr_covers(int srcdir, const char *src, int dstdir, const char *dst) {
    struct place from, to;
    AUTONAMES struct names have = {0};
    TD_AUTOFREE char *value = malloc((size_t)2 * VALUE_MAX);
    int rc = value == NULL ? -ENOMEM : place_make(&from, srcdir, src);
    if (rc == 0)
        rc = place_make(&to, dstdir, dst);
    if (rc == 0)
        rc = names_read(&to, &have);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < have.count; i++) {
        ssize_t len = place_get(&to, have.name[i], value, VALUE_MAX);
        if (len < 0 || place_get(&from, have.name[i], value + VALUE_MAX, VALUE_MAX) != len ||
            memcmp(value, value + VALUE_MAX, (size_t)len) != 0)
            return 0;
    }
    return 1;
}

static int at_flags(const char *name) {
    return *name ? AT_SYMLINK_NOFOLLOW : AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
}

static int apply_owner(const struct td_entry *entry, int dir, const char *name, struct td_error *err) {
    struct stat st;
    if (fstatat(dir, name, &st, at_flags(name)) < 0)
        return td_fail(err, errno, "cannot look at the copy");
    if (st.st_uid == entry->uid && st.st_gid == entry->gid)
        return 0;
    if (fchownat(dir, name, entry->uid, entry->gid, at_flags(name)) < 0)
        return td_fail(err, errno, "cannot set the owner %u:%u", entry->uid, entry->gid);
    return 0;
}

static int set_mode(int dir, const char *name, mode_t mode) {
    if (*name)
        return fchmodat(dir, name, mode, AT_SYMLINK_NOFOLLOW);
    struct place place; /* through /proc, so that an O_PATH descriptor will do */
    if (place_make(&place, dir, name) < 0)
        return -1;
    return chmod(place.path, mode);
}

/* After the ACLs, which carry group bits of their own, and looked at again: the kernel drops a set-gid bit quietly
 * from a file whose group the caller is not in. */
static int apply_mode(const struct td_entry *entry, int dir, const char *name, struct td_error *err) {
    mode_t want = entry->mode & 07777;
    for (int round = 0; round < 2; round++) {
        struct stat st;
        if (fstatat(dir, name, &st, at_flags(name)) < 0)
            return td_fail(err, errno, "cannot look at the copy");
        if ((st.st_mode & 07777) == want)
            return 0;
        if (round == 0 && set_mode(dir, name, want) < 0)
            return td_fail(err, errno, "cannot set the mode %04o", want);
    }
    return td_fail(err, EPERM, "cannot set the mode %04o", want);
}

/* Where it is right already, nothing is done: the ctime then shows whether anything was. */
static int apply_mtime(const struct td_entry *entry, int dir, const char *name, struct td_unkept *unkept,
                       struct td_error *err) {
    struct timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, entry->mtime};
    struct stat st;
    if (fstatat(dir, name, &st, at_flags(name)) == 0 && td_time_kept(&entry->mtime, &st.st_mtim))
        return 0;
    if (utimensat(dir, name, times, at_flags(name)) < 0)
        return td_fail(err, errno, "cannot set the time");
    if (unkept != NULL && (entry->mtime.tv_sec <= INT32_MIN || entry->mtime.tv_sec >= INT32_MAX) &&
        fstatat(dir, name, &st, at_flags(name)) == 0) {
        unkept->time = !td_same_time(&entry->mtime, &st.st_mtim);
        unkept->kept = st.st_mtim;
    }
    return 0;
}

/*
 * Owner first: changing it takes away set-id bits and file capabilities. Attributes second, while a new file is
 * still writable for an ordinary user. The mode third: it agrees with the access ACL that the source has, so setting
 * it does not change that, and takes back what an ACL inherited from a directory's default did. The time last.
 */
static int apply_all(const struct td_entry *entry, int srcdir, const char *src, int dstdir, const char *dst,
                     struct td_unkept *unkept, struct td_error *err) {
    int rc = apply_owner(entry, dstdir, dst, err);
    if (rc == 0)
        rc = copy_all(srcdir, src, dstdir, dst, unkept, err);
    if (rc == 0 && !S_ISLNK(entry->mode))
        rc = apply_mode(entry, dstdir, dst, err);
    return rc == 0 ? apply_mtime(entry, dstdir, dst, unkept, err) : rc;
}

int td_attributes_apply(const struct td_entry *entry, int srcdir, const char *src, int dstdir, const char *dst,
                        struct td_error *err) {
    return apply_all(entry, srcdir, src, dstdir, dst, NULL, err);
}

int td_attributes_apply_fitting(const struct td_entry *entry, int srcdir, const char *src, int dstdir, const char *dst,
                                struct td_unkept *unkept, struct td_error *err) {
    *unkept = (struct td_unkept){0};
    return apply_all(entry, srcdir, src, dstdir, dst, unkept, err);
}

/* A symlink's target, malloc'ed. `size` is what lstat says, and may be 0 or out of date. */
static int target_read(int dirfd, const char *name, size_t size, const char **out) {
    for (size_t room = size + 1 < 128 ? 128 : size + 1; room <= (1U << 20); room *= 2) {
        char *target = malloc(room + 1);
        if (!target)
            return -ENOMEM;
        ssize_t n = readlinkat(dirfd, name, target, room);
        if (n >= 0 && (size_t)n < room) {
            target[n] = '\0';
            *out = target;
            return 0;
        }
        int error = errno;
        free(target);
        if (n < 0)
            return -error;
    }
    return -ENAMETOOLONG;
}

int td_entry_read(int dirfd, const char *name, struct td_entry *out) {
    struct stat st;
    *out = (struct td_entry){0};
    if (fstatat(dirfd, name, &st, at_flags(name) | AT_NO_AUTOMOUNT) < 0)
        return -errno;
    *out = (struct td_entry){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .mode = st.st_mode,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .nlink = (uint32_t)st.st_nlink,
        .size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0,
        .blocks = (uint64_t)st.st_blocks,
        .mtime = st.st_mtim,
        .ctime = st.st_ctim,
        .rdev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? st.st_rdev : 0,
    };
    int rc = td_xattr_digest(dirfd, name, out->xattrs);
    if (rc == 0 && S_ISLNK(st.st_mode))
        rc = target_read(dirfd, name, (size_t)st.st_size, &out->target);
    return rc;
}

int td_entry_birth(int dirfd, const char *name, struct timespec *out) {
    struct statx sx;
    if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &sx) < 0)
        return -errno;
    if (!(sx.stx_mask & STATX_BTIME))
        return -ENOTSUP;
    *out = (struct timespec){.tv_sec = sx.stx_btime.tv_sec, .tv_nsec = sx.stx_btime.tv_nsec};
    return 0;
}
