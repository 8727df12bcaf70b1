/*
 * One operation on the member's tree. At every instant a path is the whole old or the whole new thing: what is new is
 * renamed over what is old, or exchanged with it where a directory is concerned.
 */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A path in the member's tree, and what is there. */
struct td_spot {
    int parent;
    const char *name;
    bool exists;
    struct stat st;
};

#define TD_AUTOSPOT __attribute__((cleanup(td_spot_close)))
#define TD_AUTOKEPT __attribute__((cleanup(td_keep_close)))

static void td_spot_close(struct td_spot *spot) {
    td_cleanup_fd(&spot->parent);
}

static int td_spot_look(struct td_spot *spot) {
    spot->exists = fstatat(spot->parent, spot->name, &spot->st, AT_SYMLINK_NOFOLLOW) == 0;
    return spot->exists || errno == ENOENT ? 0 : -errno;
}

static int td_spot_open(int root, const char *path, struct td_spot *spot) {
    *spot = (struct td_spot){.parent = -1};
    spot->parent = td_open_parent(root, path, &spot->name);
    return spot->parent < 0 ? spot->parent : td_spot_look(spot);
}

static int td_rename(int olddir, const char *old, int newdir, const char *new, unsigned flags) {
    return td_sys.renameat2(olddir, old, newdir, new, flags) < 0 ? -errno : 0;
}

/* After the exchange: what was in the tree goes into history, or away. */
static int td_put_away(struct td_target *target, struct td_task *task, const char *swap, struct td_kept *kept,
                       struct td_error *err) {
    struct td_expired removed = {0};
    if (kept->dir >= 0) {
        int moved = td_keep_rename(kept, target->staging, swap, err);
        if (moved == 0)
            td_version_note(target, task, kept, true);
        return moved;
    }
    int rc = td_remove_tree(target->staging, swap, &removed);
    return rc < 0 ? td_fail(err, -rc, "cannot remove what %s has replaced", swap) : 0;
}

/*
 * Exchange staging/swap with what is in the tree, then keep the old. When that cannot be kept, it is exchanged back.
 * *swapped: the old is still in staging/swap, where only the next run's sweep may touch it.
 */
static int td_exchange(struct td_target *target, struct td_task *task, const char *swap, const struct td_spot *spot,
                       struct td_kept *kept, bool *swapped, struct td_error *err) {
    int rc;
    *swapped = false;
    do
        rc = td_rename(target->staging, swap, spot->parent, spot->name, RENAME_EXCHANGE);
    while (td_room_retry(target, rc));
    if (rc < 0)
        return td_fail(err, -rc, "cannot exchange %s", spot->name);
    do
        rc = td_put_away(target, task, swap, kept, err);
    while (td_room_retry(target, rc));
    *swapped = rc < 0;
    if (rc < 0 && kept->dir >= 0 && !td_errno_is_lost(-rc))
        *swapped = td_rename(target->staging, swap, spot->parent, spot->name, RENAME_EXCHANGE) < 0;
    return rc;
}

/* Place staging/new-<number> by way of an exchange. */
static int td_place_exchanged(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                              struct td_kept *kept, struct td_error *err) {
    char name[TD_STAGED_NAME_MAX], swap[TD_STAGED_NAME_MAX];
    bool swapped;
    td_staged_name(name, "new", task->number);
    td_staged_name(swap, "swap", task->number);
    int rc = td_rename_new(target->staging, name, target->staging, swap);
    if (rc < 0)
        return td_fail(err, -rc, "cannot prepare to replace %s", task->op.path);
    rc = td_exchange(target, task, swap, spot, kept, &swapped, err);
    if (rc < 0 && !swapped && !td_errno_is_lost(-rc))
        (void)td_rename_new(target->staging, swap, target->staging, name);
    else
        task->number = 0;
    return rc;
}

/* Place staging/new-<number> over something that is no directory. */
static int td_place_over(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                         struct td_kept *kept, struct td_error *err) {
    char name[TD_STAGED_NAME_MAX];
    td_staged_name(name, "new", task->number);
    int rc = kept->dir >= 0 ? td_delta_place(target, task, &spot->st, err) : 0;
    if (rc < 0)
        return rc;
    bool different = rc > 0; /* the old version is in history as a difference, and need not be kept whole */
    rc = 0;
    if (kept->dir >= 0 && !different)
        do
            rc = td_keep_link(kept, spot->parent, spot->name, err);
        while (td_room_retry(target, rc));
    if (rc == -EMLINK || rc == -EPERM) /* no further link to the old: it must move */
        return td_place_exchanged(target, task, spot, kept, err);
    if (rc < 0)
        return rc;
    do
        rc = td_rename(target->staging, name, spot->parent, spot->name, 0);
    while (td_room_retry(target, rc));
    if (rc == 0) {
        task->number = 0;
        if (!different)
            td_version_note(target, task, kept, false);
        return 0;
    }
    if (!td_errno_is_lost(-rc) && different)
        td_delta_undo(target, task);
    else if (!td_errno_is_lost(-rc))
        td_keep_undo_link(kept);
    return td_fail(err, -rc, "cannot put %s in its place", task->op.path);
}

/* Place staging/new-<number>, which is no directory, at the task's path. */
static int td_place_staged(struct td_target *target, struct td_task *task, struct td_error *err) {
    TD_AUTOSPOT struct td_spot spot;
    TD_AUTOKEPT struct td_kept kept = {.dir = -1};
    char name[TD_STAGED_NAME_MAX];
    struct stat st;
    td_staged_name(name, "new", task->number);
    int rc = td_spot_open(target->options.collection, task->op.path, &spot);
    if (rc == 0 && fstatat(target->staging, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        rc = -errno;
    if (rc < 0)
        return td_fail(err, -rc, "cannot put %s in its place", task->op.path);
    if (spot.exists && st.st_dev == spot.st.st_dev && st.st_ino == spot.st.st_ino)
        return 0; /* another link of what is there already. rename(2) would do nothing, and say nothing */
    if (!spot.exists)
        return td_place_over(target, task, &spot, &kept, err);
    rc = td_keep_open(target, task, &kept, err);
    if (rc < 0)
        return rc;
    if (S_ISDIR(spot.st.st_mode))
        return td_place_exchanged(target, task, &spot, &kept, err);
    return td_place_over(target, task, &spot, &kept, err);
}

/* --- the other operations ------------------------------------------------------------------------------------ */

/* Something that is no directory is in the way of one. */
static int td_place_mkdir_over(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                               struct td_error *err) {
    TD_AUTOKEPT struct td_kept kept;
    char swap[TD_STAGED_NAME_MAX];
    bool swapped;
    int rc = td_keep_open(target, task, &kept, err);
    if (rc < 0)
        return rc;
    do {
        td_staged_name(swap, "swap", ++target->number);
        rc = mkdirat(target->staging, swap, 0700) < 0 ? -errno : 0;
    } while (rc == -EEXIST || td_room_retry(target, rc));
    if (rc < 0)
        return td_fail(err, -rc, "cannot make the directory %s", task->op.path);
    rc = td_exchange(target, task, swap, spot, &kept, &swapped, err);
    if (rc < 0 && !swapped && !td_errno_is_lost(-rc))
        (void)td_sys.unlinkat(target->staging, swap, AT_REMOVEDIR);
    return rc;
}

static int td_place_mkdir(struct td_target *target, struct td_task *task, struct td_error *err) {
    if (*task->op.path == '\0')
        return 0;
    TD_AUTOSPOT struct td_spot spot;
    int rc = td_spot_open(target->options.collection, task->op.path, &spot);
    if (rc == 0 && spot.exists)
        return S_ISDIR(spot.st.st_mode) ? 0 : td_place_mkdir_over(target, task, &spot, err);
    while (rc == 0 && mkdirat(spot.parent, spot.name, 0700) < 0) {
        rc = -errno;
        if (td_room_retry(target, rc))
            rc = 0;
    }
    return rc < 0 ? td_fail(err, -rc, "cannot make the directory %s", task->op.path) : 0;
}

static int td_place_link(struct td_target *target, struct td_task *task, struct td_error *err) {
    /* The old content of its leader is not what this path should have; its own is better. */
    if (task->op.from && td_failed_has(target, task->op.from))
        return td_fail_text(err, ESTALE, "%s cannot be linked to %s, which could not be brought up to date",
                            task->op.path, task->op.from);
    /* Linked only now: the leader may have come with this very batch. */
    int rc = td_stage_link(target, task, err);
    return rc < 0 ? rc : td_place_staged(target, task, err);
}

static int td_place_move(struct td_target *target, struct td_task *task, struct td_error *err) {
    char name[TD_STAGED_NAME_MAX];
    td_staged_name(name, "new", task->number);
    int rc = td_version_attributes(target, task, target->staging, name, err);
    if (rc == 0)
        rc = td_stage_attributes(target, task, target->staging, name, err);
    return rc < 0 ? rc : td_place_staged(target, task, err);
}

static int td_place_attributes(struct td_target *target, struct td_task *task, struct td_error *err) {
    const char *name;
    TD_AUTOCLOSE int dir = td_open_holder(target->options.collection, task->op.path, &name);
    struct stat st;
    if (dir < 0)
        return td_fail(err, -dir, "cannot open %s", task->op.path);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
        return td_fail(err, errno, "cannot set the attributes of %s", task->op.path);
    if ((st.st_mode & S_IFMT) != (task->entry.mode & S_IFMT))
        return td_fail_text(err, ESTALE, "%s is of another kind than it should be", task->op.path);
    int rc = td_version_attributes(target, task, dir, name, err);
    if (rc == 0)
        rc = td_stage_attributes(target, task, dir, name, err);
    struct stat now;
    task->idle = rc == 0 && fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0 &&
                 now.st_ctim.tv_sec == st.st_ctim.tv_sec && now.st_ctim.tv_nsec == st.st_ctim.tv_nsec;
    return rc;
}

/* 1: there is nothing in the directory, 0: there is, or a negative errno. */
static int td_dir_is_empty(const struct td_spot *spot) {
    int fd = openat(spot->parent, spot->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int rc = -errno;
        td_cleanup_fd(&fd);
        return rc;
    }
    int count = 0;
    struct dirent *entry;
    while (count < 3 && (errno = 0, entry = readdir(dir)))
        count++;
    int rc = count >= 3 ? 0 : errno != 0 ? -errno : 1; /* "." and ".." */
    closedir(dir);
    return rc;
}

/* A directory leaves its name and attributes in history; what was in it has gone there before. */
static int td_keep_dir(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                       struct td_error *err) {
    TD_AUTOKEPT struct td_kept kept;
    int rc = td_keep_open(target, task, &kept, err);
    if (rc < 0 || kept.dir < 0)
        return rc;
    do
        rc = td_keep_mkdir(&kept, spot->parent, spot->name, err);
    while (td_room_retry(target, rc));
    if (rc == 0)
        td_version_note(target, task, &kept, false);
    return rc;
}

static int td_delete_dir(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                         struct td_error *err) {
    /* Looked at first, so that nothing of a directory that stays gets into history. */
    int rc = td_dir_is_empty(spot);
    if (rc == 0)
        rc = -ENOTEMPTY;
    if (rc < 0)
        return td_fail(err, -rc, "cannot remove the directory %s", task->op.path);
    rc = task->op.keep ? td_keep_dir(target, task, spot, err) : 0;
    if (rc < 0)
        return rc;
    if (td_sys.unlinkat(spot->parent, spot->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return td_fail(err, errno, "cannot remove the directory %s", task->op.path);
    return 0;
}

static int td_keep_file(struct td_target *target, struct td_task *task, const struct td_spot *spot,
                        struct td_error *err) {
    TD_AUTOKEPT struct td_kept kept;
    int rc = td_keep_open(target, task, &kept, err);
    if (rc < 0)
        return rc;
    do
        rc = td_keep_rename(&kept, spot->parent, spot->name, err);
    while (td_room_retry(target, rc));
    if (rc == 0)
        td_version_note(target, task, &kept, false);
    return rc;
}

static int td_place_delete(struct td_target *target, struct td_task *task, struct td_error *err) {
    TD_AUTOSPOT struct td_spot spot;
    int rc = td_spot_open(target->options.collection, task->op.path, &spot);
    if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || (rc == 0 && !spot.exists))
        return 0; /* gone already, or with what was above it */
    if (rc < 0)
        return td_fail(err, -rc, "cannot remove %s", task->op.path);
    if (S_ISDIR(spot.st.st_mode))
        return td_delete_dir(target, task, &spot, err);
    /* "The content lives on elsewhere" is believed only while another name holds on to it: a move that failed must
     * not become a loss. */
    if (target->options.history && (task->op.keep || spot.st.st_nlink < 2))
        return td_keep_file(target, task, &spot, err);
    if (td_sys.unlinkat(spot.parent, spot.name, 0) < 0 && errno != ENOENT)
        return td_fail(err, errno, "cannot remove %s", task->op.path);
    return 0;
}

int td_place_task(struct td_target *target, struct td_task *task, struct td_error *err) {
    switch (task->op.action) {
    case TD_ACT_MKDIR:
        return td_place_mkdir(target, task, err);
    case TD_ACT_COPY:
    case TD_ACT_SPECIAL:
        return td_place_staged(target, task, err);
    case TD_ACT_LINK:
        return td_place_link(target, task, err);
    case TD_ACT_MOVE:
        return td_place_move(target, task, err);
    case TD_ACT_ATTRIBUTES:
        return td_place_attributes(target, task, err);
    case TD_ACT_DELETE:
        return td_place_delete(target, task, err);
    case TD_ACT_NONE:
    case TD_ACT_ENTER:
    case TD_ACTIONS:
        break;
    }
    return td_fail_text(err, EINVAL, "%s: no such operation", task->op.path);
}
