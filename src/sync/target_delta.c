/*
 * Old versions of large files as differences: history/<run>/.deltas/<SHA-256 of the old>-<of the new>.rdiff. Such a
 * file carries the old version's owner, mode, times and attributes.
 *
 * A difference is made while both versions are there, and is written to staging; after one syncfs it is read back and
 * applied, and only when that gives the old content may the old file go. It is kept only where it is a quarter of the
 * old file or less: so an update never writes much more than the file itself, and where a difference saves little the
 * old file, which is moved without a byte being written, is the simpler thing to have in ten years.
 *
 * The new version is never made that way from the old one's blocks. The source is read whole for its proof in any case,
 * ext4 shares no blocks between files, so as much is written either way, and the member would have to read its old file
 * besides. (100 MB with 1 % of its blocks changed, disks held to 100 MB/s for reading and as much for writing: copied
 * in 2.0 to 2.2 s, rebuilt by rdiff in 2.1 s with 100 MB more read from the member, which on a real disk are seeks.)
 */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/sys.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TD_DELTA_LEAST (64ULL << 10) /* below it there is little to be saved */
#define TD_DELTA_PART 4

static int td_delta_tick(void *ctx) {
    const struct td_target *target = ctx;
    return atomic_load(&target->cancel) ? -ECANCELED : 0;
}

void td_delta_drop(struct td_target *target, struct td_task *task) {
    char name[TD_STAGED_NAME_MAX];
    if (!task->delta)
        return;
    td_staged_name(name, "delta", task->delta->number);
    if (target->state != TD_TARGET_LOST)
        (void)td_sys.unlinkat(target->staging, name, 0);
    free(task->delta);
    task->delta = NULL;
}

/* What is to be replaced, when a difference may pay: a descriptor; -1 when it does not. */
static int td_delta_old(struct td_target *target, const struct td_task *task, struct stat *st) {
    if (task->op.action != TD_ACT_COPY || task->error != 0 || task->op.quarantine)
        return -1;
    int fd = td_open_beneath(target->options.collection, task->op.path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    uint64_t size = fstat(fd, st) == 0 && S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    bool alone = st->st_nlink == 1; /* with another name its content costs nothing where it is */
    bool grown = task->size + size / TD_DELTA_PART >= size; /* what was cut off would be in it */
    if (size >= TD_DELTA_LEAST && alone && grown)
        return fd;
    close(fd);
    return -1;
}

static int td_delta_make_file(struct td_target *target, struct td_task *task, int old, struct td_old_delta *delta) {
    char name[TD_STAGED_NAME_MAX], new[TD_STAGED_NAME_MAX];
    uint64_t blocks = (uint64_t)delta->old.st_blocks * 512, size = (uint64_t)delta->old.st_size;
    td_staged_name(name, "delta", delta->number);
    td_staged_name(new, "new", task->number);
    TD_AUTOCLOSE int base = openat(target->staging, new, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    TD_AUTOCLOSE int out = openat(target->staging, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (base < 0 || out < 0)
        return -errno;
    struct td_delta_watch watch = {td_delta_tick, target};
    return td_delta_make(base, old, out, (blocks < size ? blocks : size) / TD_DELTA_PART, &watch, &delta->sums, NULL);
}

/* What was proven here is not what lies here now: it is kept whole, under the SHA-256 that it should have, so that the
 * proof of the history finds it, makes it good from the other member, and tells. */
static bool td_delta_of_rot(const struct td_target *target, const struct td_task *task) {
    const enum td_side side = target->options.side;
    return task->op.old[side].known && memcmp(task->delta->sums.version, task->op.old[side].hash, TD_HASH_LEN) != 0;
}

/* Without one the old version is kept whole: nothing here is a failure. */
static void td_delta_stage(struct td_target *target, struct td_task *task) {
    struct stat st;
    const char *last;
    TD_AUTOCLOSE int old = td_delta_old(target, task, &st);
    if (old < 0)
        return;
    struct td_old_delta *delta = task->delta = calloc(1, sizeof(*delta));
    if (!delta)
        return;
    delta->number = ++target->number;
    delta->old = st;
    char name[TD_STAGED_NAME_MAX];
    td_staged_name(name, "delta", delta->number);
    int rc = td_delta_make_file(target, task, old, delta);
    TD_AUTOCLOSE int parent = rc == 0 ? td_open_parent(target->options.collection, task->op.path, &last) : -1;
    if (parent < 0 || td_delta_of_rot(target, task) || td_entry_read(parent, last, &delta->entry) < 0 ||
        td_attributes_apply(&delta->entry, parent, last, target->staging, name, NULL) < 0)
        td_delta_drop(target, task);
}

/* What is on the medium must give the old version. */
static bool td_delta_proves(struct td_target *target, const struct td_task *task) {
    char name[TD_STAGED_NAME_MAX], new[TD_STAGED_NAME_MAX];
    struct td_delta_sums again;
    struct td_delta_watch watch = {td_delta_tick, target};
    td_staged_name(name, "delta", task->delta->number);
    td_staged_name(new, "new", task->number);
    TD_AUTOCLOSE int base = openat(target->staging, new, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    TD_AUTOCLOSE int delta = openat(target->staging, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (base < 0 || delta < 0)
        return false;
    (void)posix_fadvise(delta, 0, 0, POSIX_FADV_DONTNEED);
    return td_delta_patch(base, delta, -1, &watch, &again, NULL) == 0 &&
           again.size == (uint64_t)task->delta->old.st_size &&
           memcmp(again.version, task->delta->sums.version, TD_HASH_LEN) == 0 &&
           memcmp(again.delta, task->delta->sums.delta, TD_HASH_LEN) == 0;
}

void td_delta_batch(struct td_target *target) {
    bool any = false;
    if (!target->options.history)
        return;
    for (struct td_task *task = target->batch.head; task; task = task->next) {
        if (target->state != TD_TARGET_OK || atomic_load(&target->cancel))
            return;
        td_delta_stage(target, task);
        any = any || task->delta;
    }
    if (!any)
        return;
    if (td_sys.syncfs(target->staging) < 0) {
        struct td_error err = {0};
        td_fail(&err, errno, "cannot make the member's data durable");
        td_target_end(target, TD_TARGET_LOST, err.text);
        return;
    }
    for (struct td_task *task = target->batch.head; task; task = task->next)
        if (task->delta && !td_delta_proves(target, task))
            td_delta_drop(target, task);
}

/* --- into history -------------------------------------------------------------------------------------------- */

#define TD_DELTA_NAME_MAX (2 * 2 * TD_HASH_LEN + 8)

static void td_delta_name(const struct td_task *task, char out[TD_DELTA_NAME_MAX]) {
    char old[2 * TD_HASH_LEN + 1], new[2 * TD_HASH_LEN + 1];
    td_hex(old, task->delta->sums.version, TD_HASH_LEN);
    td_hex(new, task->hash, TD_HASH_LEN);
    snprintf(out, TD_DELTA_NAME_MAX, "%s-%s" TD_DELTA_SUFFIX, old, new);
}

static int td_delta_dir(struct td_target *target) {
    int root = td_keep_root(target, false);
    return root < 0 ? root : td_keep_child(root, TD_DELTAS);
}

static void td_delta_note(struct td_target *target, struct td_task *task, const char *name) {
    TD_AUTOBUF struct td_buf place = {0};
    td_buf_printf(&place, "%s/" TD_DELTAS "/%s", target->options.history, name);
    struct td_version version = {.kind = TD_VERSION_DELTA,
                                 .path = task->op.path,
                                 .place = place.data,
                                 .entry = task->delta->entry,
                                 .has_hash = true,
                                 .stored_size = task->delta->sums.delta_size};
    memcpy(version.hash, task->delta->sums.version, TD_HASH_LEN);
    memcpy(version.base, task->hash, TD_HASH_LEN);
    memcpy(version.stored, task->delta->sums.delta, TD_HASH_LEN);
    struct td_kept_item *item = td_kept_item_new(&version);
    item->next = task->items;
    task->items = item;
}

int td_delta_place(struct td_target *target, struct td_task *task, const struct stat *old, struct td_error *err) {
    char staged[TD_STAGED_NAME_MAX], name[TD_DELTA_NAME_MAX];
    const struct td_old_delta *delta = task->delta;
    if (!delta || old->st_ino != delta->old.st_ino || old->st_size != delta->old.st_size || old->st_nlink != 1 ||
        old->st_mtim.tv_sec != delta->old.st_mtim.tv_sec || old->st_mtim.tv_nsec != delta->old.st_mtim.tv_nsec)
        return 0;
    td_staged_name(staged, "delta", delta->number);
    td_delta_name(task, name);
    int rc;
    do {
        TD_AUTOCLOSE int dir = td_delta_dir(target);
        rc = dir < 0 ? dir : td_rename_new(target->staging, staged, dir, name);
    } while (td_room_retry(target, rc));
    if (rc == -EEXIST) /* two files that were equal, and are again */
        return td_hash_is_zero(delta->entry.xattrs) ? 1 : 0;
    if (rc < 0)
        return td_fail(err, -rc, "cannot keep the old %s in history", task->op.path);
    td_delta_note(target, task, name);
    free(task->delta);
    task->delta = NULL;
    return 1;
}

/* The new version did not get to its place, so the old one is where it was. */
void td_delta_undo(struct td_target *target, struct td_task *task) {
    TD_AUTOCLOSE int dir = td_delta_dir(target);
    if (!task->items || dir < 0)
        return;
    (void)td_sys.unlinkat(dir, strrchr(task->items->version.place, '/') + 1, 0);
    td_kept_items_free(task->items);
    task->items = NULL;
}
