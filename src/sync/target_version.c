/*
 * What has been put into history, described for the ledger: what it was, its SHA-256, and where it lies. And sets of
 * extended attributes that would be lost when only they change: a holder of each set in history/<run>/.attributes,
 * named by the digest over it.
 */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *td_text_or_die(const char *text) {
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

struct td_kept_item *td_kept_item_new(const struct td_version *version) {
    struct td_kept_item *item = calloc(1, sizeof(*item));
    if (!item)
        abort();
    item->version = *version;
    item->version.path = td_text_or_die(version->path);
    item->version.place = td_text_or_die(version->place);
    item->version.entry.path = item->version.entry.target = NULL;
    return item;
}

void td_kept_items_free(struct td_kept_item *items) {
    while (items) {
        struct td_kept_item *next = items->next;
        free((char *)(uintptr_t)items->version.path);
        free((char *)(uintptr_t)items->version.place);
        free(items);
        items = next;
    }
}

static void td_version_add(struct td_task *task, const struct td_version *version) {
    struct td_kept_item *item = td_kept_item_new(version);
    item->next = task->items;
    task->items = item;
}

/* One thing at `name` in dir. */
static void td_version_one(struct td_target *target, struct td_task *task, int dir, const char *name, const char *path,
                           const char *place, const uint8_t *known) {
    struct td_version version = {.kind = TD_VERSION_WHOLE, .path = path, .place = place};
    struct td_entry *entry = &version.entry;
    struct td_hash_result result;
    if (td_entry_read(dir, name, entry) < 0)
        return;
    free((char *)(uintptr_t)entry->target);
    if (S_ISDIR(entry->mode)) {
        version.kind = TD_VERSION_DIRECTORY;
    } else if (S_ISREG(entry->mode)) {
        version.stored_size = entry->size;
        version.has_hash = known != NULL;
        if (known) {
            memcpy(version.hash, known, TD_HASH_LEN);
        } else {
            td_hash_file(dir, name, target->buffer, &result);
            version.has_hash = result.error == 0 && !result.changing;
            memcpy(version.hash, result.hash, TD_HASH_LEN);
        }
    }
    td_version_add(task, &version);
}

static void td_version_tree(struct td_target *target, struct td_task *task, int parent, const char *name,
                            const char *path, const char *place) {
    td_version_one(target, task, parent, name, path, place, NULL);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        TD_AUTOBUF struct td_buf below = {0}, at = {0};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        td_buf_printf(&below, "%s/%s", path, entry->d_name);
        td_buf_printf(&at, "%s/%s", place, entry->d_name);
        td_version_tree(target, task, dirfd(dir), entry->d_name, below.data, at.data);
    }
    closedir(dir);
}

/* Is what lies there what the caller of the operation knew by its size and time? */
static const uint8_t *td_known_hash(const struct td_target *target, const struct td_task *task) {
    enum td_side side = target->options.side;
    return task->op.old[side].known ? task->op.old[side].hash : NULL;
}

void td_version_note(struct td_target *target, struct td_task *task, const struct td_kept *kept, bool tree) {
    TD_AUTOBUF struct td_buf place = {0};
    struct stat st;
    if (kept->dir < 0 || kept->name[0] == '\0' || kept->quarantine)
        return;
    td_buf_printf(&place, "%s%s", td_buf_text(&kept->place), kept->name);
    if (tree && fstatat(kept->dir, kept->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        td_version_tree(target, task, kept->dir, kept->name, task->op.path, place.data);
    else
        td_version_one(target, task, kept->dir, kept->name, task->op.path, place.data, td_known_hash(target, task));
}

/* --- extended attributes ------------------------------------------------------------------------------------- */

/* Make history/<run>/.attributes/<digest>, or ...d for those of a directory. 1: made, 0: it was there. */
static int td_holder_make(struct td_target *target, const struct td_entry *old, int dir, const char *name, char *holder,
                          struct td_error *err) {
    int root = td_keep_root(target, false);
    TD_AUTOCLOSE int holders = root < 0 ? root : td_keep_child(root, TD_HOLDERS);
    if (holders < 0)
        return holders;
    bool directory = S_ISDIR(old->mode);
    td_hex(holder, old->xattrs, TD_HASH_LEN);
    if (directory)
        memcpy(holder + (size_t)2 * TD_HASH_LEN, "d", 2);
    int rc = directory ? mkdirat(holders, holder, 0700) : mknodat(holders, holder, S_IFREG | 0600, 0);
    if (rc < 0)
        return errno == EEXIST ? 0 : -errno;
    rc = td_attributes_apply(old, dir, name, holders, holder, err);
    if (rc < 0)
        (void)unlinkat(holders, holder, directory ? AT_REMOVEDIR : 0);
    return rc < 0 ? rc : 1;
}

/* What is there may be all that fits, in every run: nothing changes then, and there is nothing to keep. */
static bool td_adds_nothing(struct td_target *target, const struct td_task *task, int dir, const char *name,
                            const uint8_t have[TD_HASH_LEN]) {
    const char *src;
    TD_AUTOCLOSE int origin = td_open_holder(task->root, task->op.path, &src);
    return origin >= 0 && td_xattr_covers(origin, src, dir, name) == 1 && td_stage_fits_no_more(target, task, have);
}

int td_version_attributes(struct td_target *target, struct td_task *task, int dir, const char *name,
                          struct td_error *err) {
    char holder[2 * TD_HASH_LEN + 2];
    struct td_entry old;
    if (!target->options.history)
        return 0;
    int rc = td_entry_read(dir, name, &old);
    if (rc < 0)
        return td_fail(err, -rc, "cannot read the attributes of %s", task->op.path);
    free((char *)(uintptr_t)old.target);
    old.target = NULL;
    if (td_hash_is_zero(old.xattrs) || memcmp(old.xattrs, task->entry.xattrs, TD_HASH_LEN) == 0 ||
        (!S_ISREG(old.mode) && !S_ISDIR(old.mode)))
        return 0;
    if (td_adds_nothing(target, task, dir, name, old.xattrs))
        return 0;
    do
        rc = td_holder_make(target, &old, dir, name, holder, err);
    while (td_room_retry(target, rc));
    if (rc < 0)
        return td_fail(err, -rc, "cannot keep the attributes of %s in history", task->op.path);
    if (rc > 0) {
        TD_AUTOBUF struct td_buf place = {0};
        td_buf_printf(&place, "%s/" TD_HOLDERS "/%s", target->options.history, holder);
        struct td_version version = {
            .kind = TD_VERSION_ATTRIBUTES, .path = task->op.path, .place = place.data, .entry = old};
        td_version_add(task, &version);
    }
    return 0;
}
