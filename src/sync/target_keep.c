/*
 * What is replaced or deleted is kept under its own path below history/<run> or quarantine/<run>. Where that name is
 * taken by another version of this run, a suffix ".~<n>~" is added; where a directory of the path is taken by
 * something else, the whole path goes below a directory ".~<n>~" of the run.
 */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TD_SUFFIXES 10000 /* versions of one path in one run; never met */

void td_suffixed_name(char out[NAME_MAX + 1], const char *base, int n) {
    char suffix[24] = "";
    if (n > 0)
        snprintf(suffix, sizeof(suffix), ".~%d~", n);
    size_t tail = strlen(suffix), len = strnlen(base, NAME_MAX - tail);
    memcpy(out, base, len);
    memcpy(out + len, suffix, tail + 1);
}

int td_rename_new(int olddir, const char *old, int newdir, const char *new) {
    if (td_sys.renameat2(olddir, old, newdir, new, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    struct stat st; /* a filesystem that does not know the flag; nobody else makes names here */
    if (fstatat(newdir, new, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return td_sys.renameat2(olddir, old, newdir, new, 0) < 0 ? -errno : 0;
}

int td_keep_child(int dir, const char *name) {
    if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int td_keep_root(struct td_target *target, bool quarantine) {
    int *root = &target->keep[quarantine];
    if (*root >= 0)
        return *root;
    TD_AUTOCLOSE int above = td_keep_child(target->options.store, quarantine ? TD_QUARANTINE : TD_HISTORY);
    if (above < 0)
        return above;
    return *root = td_keep_child(above, target->options.history);
}

/* Open the directory for `path` below root, making what is missing. */
static int td_keep_parent(int root, const char *path) {
    const char *name;
    int fd = td_open_parent(root, path, &name);
    if (fd != -ENOENT)
        return fd;
    int rc = td_make_parents(root, path);
    return rc < 0 ? rc : td_open_parent(root, path, &name);
}

static int td_keep_find(struct td_target *target, const struct td_task *task, struct td_kept *kept) {
    int root = td_keep_root(target, task->op.quarantine);
    if (root < 0)
        return root;
    int fd = td_keep_parent(root, task->op.path);
    td_buf_clear(&kept->place);
    td_buf_printf(&kept->place, "%s/%s", target->options.history, task->op.path);
    for (int n = 1; (fd == -ENOTDIR || fd == -ELOOP) && n < TD_SUFFIXES; n++) {
        TD_AUTOBUF struct td_buf path = {0};
        td_buf_printf(&path, ".~%d~/%s", n, task->op.path);
        fd = td_keep_parent(root, td_buf_text(&path));
        td_buf_clear(&kept->place);
        td_buf_printf(&kept->place, "%s/%s", target->options.history, path.data);
    }
    kept->place.len = (size_t)(strrchr(kept->place.data, '/') + 1 - kept->place.data);
    kept->place.data[kept->place.len] = '\0';
    return fd;
}

int td_keep_open(struct td_target *target, const struct td_task *task, struct td_kept *kept, struct td_error *err) {
    *kept = (struct td_kept){.dir = -1, .quarantine = task->op.quarantine};
    if (!target->options.history)
        return 0;
    do
        kept->dir = td_keep_find(target, task, kept);
    while (td_room_retry(target, kept->dir));
    if (kept->dir < 0)
        return td_fail(err, -kept->dir, "cannot make a place in history for %s", task->op.path);
    const char *slash = strrchr(task->op.path, '/');
    td_suffixed_name(kept->base, slash ? slash + 1 : task->op.path, 0);
    return 0;
}

void td_keep_close(struct td_kept *kept) {
    td_cleanup_fd(&kept->dir);
    kept->dir = -1;
    td_buf_free(&kept->place);
}

static bool td_same_inode(int dir, const char *name, int otherdir, const char *other) {
    struct stat a, b;
    return fstatat(dir, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(otherdir, other, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int td_keep_link(struct td_kept *kept, int dir, const char *name, struct td_error *err) {
    char unique[NAME_MAX + 1];
    for (int n = 0; n < TD_SUFFIXES; n++) {
        td_suffixed_name(unique, kept->base, n);
        if (td_sys.linkat(dir, name, kept->dir, unique, 0) == 0) {
            memcpy(kept->name, unique, sizeof(unique));
            return 0;
        }
        if (errno != EEXIST)
            return td_fail(err, errno, "cannot keep the old %s in history", name);
        if (td_same_inode(dir, name, kept->dir, unique))
            return 0; /* it is there already */
    }
    return td_fail(err, EEXIST, "cannot keep the old %s in history", name);
}

void td_keep_undo_link(struct td_kept *kept) {
    if (kept->dir >= 0 && kept->name[0] != '\0')
        (void)td_sys.unlinkat(kept->dir, kept->name, 0);
    kept->name[0] = '\0';
}

int td_keep_rename(struct td_kept *kept, int dir, const char *name, struct td_error *err) {
    char unique[NAME_MAX + 1];
    int rc = -EEXIST;
    for (int n = 0; rc == -EEXIST && n < TD_SUFFIXES; n++) {
        td_suffixed_name(unique, kept->base, n);
        rc = td_rename_new(dir, name, kept->dir, unique);
        if (rc == -EEXIST && td_same_inode(dir, name, kept->dir, unique))
            rc = td_sys.unlinkat(dir, name, 0) < 0 ? -errno : 0;
    }
    if (rc == 0)
        memcpy(kept->name, unique, sizeof(unique));
    return rc < 0 ? td_fail(err, -rc, "cannot move the old %s into history", kept->base) : 0;
}

int td_keep_mkdir(struct td_kept *kept, int dir, const char *name, struct td_error *err) {
    struct td_entry entry;
    int rc = td_entry_read(dir, name, &entry);
    if (rc < 0)
        return td_fail(err, -rc, "cannot read the attributes of %s", name);
    char unique[NAME_MAX + 1];
    rc = -EEXIST;
    for (int n = 0; rc == -EEXIST && n < TD_SUFFIXES; n++) {
        struct stat st;
        td_suffixed_name(unique, kept->base, n);
        if (mkdirat(kept->dir, unique, 0700) == 0)
            rc = 0;
        else if (errno != EEXIST)
            rc = -errno;
        else if (fstatat(kept->dir, unique, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
            rc = 0; /* made for what was in it */
    }
    if (rc < 0)
        return td_fail(err, -rc, "cannot keep the directory %s in history", name);
    memcpy(kept->name, unique, sizeof(unique));
    return td_attributes_apply(&entry, dir, name, kept->dir, unique, err);
}
