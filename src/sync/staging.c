/*
 * Names in staging/. `new-<n>` is something on its way in: of no worth to the next run. `swap-<n>` has been or will be
 * exchanged with something in the tree: after a crash it may be the only copy of an old version. `gone-<run>` is a
 * run's directory of history that has been given up and is being removed.
 */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/sys.h"
#include "twindock/model/outcome.h"
#include "twindock/sync/attributes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TD_PREALLOCATE (8ULL << 20) /* files from this size on get their blocks in one go */
#define TD_MODE_BITS 07777U

void td_staged_name(char out[TD_STAGED_NAME_MAX], const char *kind, uint64_t number) {
    snprintf(out, TD_STAGED_NAME_MAX, "%s-%" PRIu64, kind, number);
}

int td_staging_open(int store) {
    if (mkdirat(store, TD_STAGING, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(store, TD_STAGING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int td_open_holder(int root, const char *path, const char **name) {
    if (*path != '\0')
        return td_open_parent(root, path, name);
    *name = path;
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Make something under the next free name in staging. Names that an unswept run has left are passed over. */
static int td_stage_new(struct td_target *target, struct td_task *task,
                        int (*make)(struct td_target *target, struct td_task *task, const char *name)) {
    for (;;) {
        char name[TD_STAGED_NAME_MAX];
        td_staged_name(name, "new", ++target->number);
        int rc = make(target, task, name);
        if (rc >= 0)
            task->number = target->number;
        if (rc != -EEXIST && !td_room_retry(target, rc))
            return rc;
    }
}

void td_stage_drop(struct td_target *target, struct td_task *task) {
    char name[TD_STAGED_NAME_MAX];
    td_delta_drop(target, task);
    if (task->fd >= 0)
        close(task->fd);
    task->fd = -1;
    if (task->number == 0)
        return;
    td_staged_name(name, "new", task->number);
    task->number = 0;
    /* A lost member is left alone; whatever stays is swept by the next run. */
    if (target->state != TD_TARGET_LOST)
        (void)td_sys.unlinkat(target->staging, name, 0);
}

static int td_make_file(struct td_target *target, struct td_task *task, const char *name) {
    int fd = openat(target->staging, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    task->fd = fd;
    return 0;
}

/* Blocks in one piece for a large file, where the filesystem can; not for one with holes. */
static int td_preallocate(struct td_target *target, const struct td_task *task) {
    int rc;
    do
        rc = td_sys.fallocate(task->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)task->size) < 0 ? -errno : 0;
    while (rc == -EINTR || td_room_retry_data(target, rc));
    return td_errno_is_full(-rc) || td_errno_is_lost(-rc) ? rc : 0;
}

int td_stage_file(struct td_target *target, struct td_task *task, uint64_t need, struct td_error *err) {
    int rc = td_room_reserve(target, need);
    if (rc < 0)
        return td_fail_text(err, -rc, TD_DETAIL_NO_ROOM);
    rc = td_stage_new(target, task, td_make_file);
    if (rc == 0 && need >= task->size && task->size >= TD_PREALLOCATE)
        rc = td_preallocate(target, task);
    if (rc == 0)
        return 0;
    td_stage_drop(target, task);
    return td_fail(err, -rc, "cannot make a temporary file for %s", task->op.path);
}

static int td_make_special(struct td_target *target, struct td_task *task, const char *name) {
    const struct td_entry *entry = &task->entry;
    int rc = S_ISLNK(entry->mode) ? symlinkat(entry->target ? entry->target : "", target->staging, name)
                                  : mknodat(target->staging, name, (entry->mode & S_IFMT) | 0600, entry->rdev);
    return rc < 0 ? -errno : 0;
}

/* Is what has been made what was asked for? */
static int td_check_special(struct td_target *target, const struct td_task *task) {
    char name[TD_STAGED_NAME_MAX];
    struct stat st;
    td_staged_name(name, "new", task->number);
    if (fstatat(target->staging, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    const struct td_entry *entry = &task->entry;
    if ((st.st_mode & S_IFMT) != (entry->mode & S_IFMT))
        return -EINVAL;
    if ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_rdev != entry->rdev)
        return -EINVAL;
    if (!S_ISLNK(st.st_mode))
        return 0;
    char text[PATH_MAX + 1];
    ssize_t len = readlinkat(target->staging, name, text, sizeof(text));
    if (len < 0)
        return -errno;
    return strlen(entry->target) == (size_t)len && memcmp(entry->target, text, (size_t)len) == 0 ? 0 : -EINVAL;
}

int td_stage_special(struct td_target *target, struct td_task *task, struct td_error *err) {
    mode_t type = task->entry.mode & S_IFMT;
    if (!task->op.entry || type == S_IFREG || type == S_IFDIR || (type == S_IFLNK && !task->entry.target))
        return td_fail_text(err, EINVAL, "%s is no link, device, fifo or socket", task->op.path);
    int rc = td_stage_new(target, task, td_make_special);
    if (rc < 0)
        return td_fail(err, -rc, "cannot make %s", task->op.path);
    rc = td_check_special(target, task);
    if (rc < 0) {
        td_stage_drop(target, task);
        return td_fail(err, -rc, "%s did not become what it should be", task->op.path);
    }
    return 0;
}

static int td_make_link(struct td_target *target, struct td_task *task, const char *name) {
    const char *from;
    TD_AUTOCLOSE int parent = td_open_parent(target->options.collection, task->op.from, &from);
    if (parent < 0)
        return parent;
    return td_sys.linkat(parent, from, target->staging, name, 0) < 0 ? -errno : 0;
}

/* A file that is to move must still be what the plan took it for, as far as can be told without reading it. */
static int td_check_moved(struct td_target *target, const struct td_task *task) {
    char name[TD_STAGED_NAME_MAX];
    struct stat st;
    td_staged_name(name, "new", task->number);
    if (fstatat(target->staging, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    bool same = S_ISREG(st.st_mode) && task->op.entry && (uint64_t)st.st_size == task->entry.size;
    return same ? 0 : -ESTALE;
}

int td_stage_link(struct td_target *target, struct td_task *task, struct td_error *err) {
    if (!task->op.from)
        return td_fail_text(err, EINVAL, "%s: no path to link from", task->op.path);
    int rc = td_stage_new(target, task, td_make_link);
    if (rc == 0 && task->op.action == TD_ACT_MOVE)
        rc = td_check_moved(target, task);
    if (rc == 0)
        return 0;
    td_stage_drop(target, task);
    if (rc == -ESTALE)
        return td_fail_text(err, ESTALE, "%s is not the file that was to become %s", task->op.from, task->op.path);
    return td_fail(err, -rc, "cannot link %s to %s", task->op.from, task->op.path);
}

/* An error of the origin must not be taken for one of the member, which would end it. */
static int td_origin_error(const struct td_task *task, int rc, struct td_error *err) {
    int code = td_errno_is_lost(-rc) || td_errno_is_full(-rc) ? EREMOTEIO : -rc;
    return td_fail_text(err, code, "%s: cannot read its attributes: %s", task->op.path, strerror(-rc));
}

static bool td_origin_fails(int dir, const char *name) {
    uint8_t digest[TD_HASH_LEN];
    return td_xattr_digest(dir, name, digest) < 0;
}

/* What did not fit although there is room. Without room, it is the member that is full. */
static int td_judge_unkept(const struct td_target *target, int rc, const struct td_unkept *unkept,
                           struct td_error *err) {
    if (rc == 0 && unkept->error == ENOSPC && target->filling)
        return td_fail(err, ENOSPC, "cannot set the extended attribute %s", unkept->name);
    return rc;
}

static void td_note_text(char **note, struct td_buf *text) {
    free(*note);
    *note = strdup(td_buf_text(text));
    if (!*note)
        abort();
}

static void td_note_left_out(struct td_task *task, const struct td_unkept *unkept) {
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_puts(&text, "the extended attribute ");
    td_escape_text(&text, unkept->name);
    td_buf_printf(&text, " (%zu bytes)", unkept->size);
    if (unkept->others > 0)
        td_buf_printf(&text, " and %zu more do", unkept->others);
    else
        td_buf_puts(&text, " does");
    td_buf_puts(&text, unkept->error == ENOTSUP ? " not go onto this filesystem" : " not fit on the disk");
    td_note_text(&task->left_out, &text);
}

static void td_put_day(struct td_buf *text, const struct timespec *time) {
    struct tm tm;
    if (gmtime_r(&time->tv_sec, &tm))
        td_buf_printf(text, "%04ld-%02d-%02d", tm.tm_year + 1900L, tm.tm_mon + 1, tm.tm_mday);
    else
        td_buf_printf(text, "%jd s after 1970", (intmax_t)time->tv_sec);
}

static void td_note_off_time(struct td_task *task, const struct td_unkept *unkept) {
    TD_AUTOBUF struct td_buf text = {0};
    td_put_day(&text, &task->entry.mtime);
    td_buf_puts(&text, " is kept as ");
    td_put_day(&text, &unkept->kept);
    td_note_text(&task->off_time, &text);
}

int td_stage_attributes(struct td_target *target, struct td_task *task, int dir, const char *name,
                        struct td_error *err) {
    const char *src;
    struct td_unkept unkept;
    TD_AUTOCLOSE int origin = td_open_holder(task->root, task->op.path, &src);
    if (origin < 0)
        return td_origin_error(task, origin, err);
    int rc;
    do
        rc = td_attributes_apply_fitting(&task->entry, origin, src, dir, name, &unkept, err);
    while (td_room_retry(target, rc == 0 ? -unkept.error : rc));
    rc = td_judge_unkept(target, rc, &unkept, err);
    if (rc == 0 && unkept.error != 0)
        td_note_left_out(task, &unkept);
    if (rc == 0 && unkept.time)
        td_note_off_time(task, &unkept);
    if (rc == 0)
        return 0;
    if (td_errno_is_lost(-rc) && td_origin_fails(origin, src))
        return td_origin_error(task, rc, err);
    return td_wrap(err, rc, "%s", task->op.path);
}

bool td_stage_fits_no_more(struct td_target *target, const struct td_task *task, const uint8_t have[TD_HASH_LEN]) {
    const char *src;
    char name[TD_STAGED_NAME_MAX];
    struct td_unkept unkept;
    uint8_t fits[TD_HASH_LEN];
    TD_AUTOCLOSE int origin = td_open_holder(task->root, task->op.path, &src);
    td_staged_name(name, "new", ++target->number);
    bool directory = S_ISDIR(task->entry.mode);
    if (origin < 0 ||
        (directory ? mkdirat(target->staging, name, 0700) : mknodat(target->staging, name, S_IFREG | 0600, 0)) < 0)
        return false;
    bool same = td_attributes_apply_fitting(&task->entry, origin, src, target->staging, name, &unkept, NULL) == 0 &&
                td_xattr_digest(target->staging, name, fits) == 0 && memcmp(fits, have, TD_HASH_LEN) == 0;
    (void)td_sys.unlinkat(target->staging, name, directory ? AT_REMOVEDIR : 0);
    return same;
}

/* --- the sweep -------------------------------------------------------------------------------------------- */

/* history/recovered, made if missing. */
static int td_recovered_open(int store) {
    if (mkdirat(store, TD_HISTORY, 0700) < 0 && errno != EEXIST)
        return -errno;
    TD_AUTOCLOSE int history = openat(store, TD_HISTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (history < 0)
        return -errno;
    if (mkdirat(history, TD_RECOVERED, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(history, TD_RECOVERED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int td_recover(int store, int staging, const char *name) {
    if (td_sys.unlinkat(staging, name, AT_REMOVEDIR) == 0)
        return 0;
    TD_AUTOCLOSE int recovered = td_recovered_open(store);
    if (recovered < 0)
        return recovered;
    int rc = -EEXIST;
    for (int n = 0; rc == -EEXIST && n < INT_MAX; n++) {
        char unique[NAME_MAX + 1];
        td_suffixed_name(unique, name, n);
        rc = td_rename_new(staging, name, recovered, unique);
    }
    return rc;
}

static int td_sweep_name(int store, int staging, const char *name) {
    struct td_expired removed = {0};
    if (strncmp(name, "swap-", 5) == 0)
        return td_recover(store, staging, name);
    return td_remove_tree(staging, name, &removed);
}

/* One scan over the directory. What does not go is noted in err and passed over: what goes makes room for it. The count
 * of what was taken out, or a negative errno. */
static int td_sweep_scan(int store, int staging, int *stays, struct td_error *err) {
    int fd = openat(staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return td_fail(err, code, "cannot read the staging directory");
    }
    int count = 0;
    struct dirent *entry;
    *stays = 0;
    while ((errno = 0, entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int rc = td_sweep_name(store, staging, entry->d_name);
        if (rc < 0)
            *stays = td_fail(err, -rc, "cannot remove %s from the staging directory", entry->d_name);
        else
            count++;
    }
    if (errno != 0)
        count = td_fail(err, errno, "cannot read the staging directory");
    closedir(dir);
    return count;
}

int td_staging_sweep(int store, uint64_t *removed, struct td_error *err) {
    uint64_t none;
    if (!removed)
        removed = &none;
    *removed = 0;
    TD_AUTOCLOSE int staging = openat(store, TD_STAGING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (staging < 0)
        return errno == ENOENT ? 0 : td_fail(err, errno, "cannot open the staging directory");
    int rc, stays = 0;
    while ((rc = td_sweep_scan(store, staging, &stays, err)) > 0)
        *removed += (uint64_t)rc;
    return rc < 0 ? rc : stays;
}
