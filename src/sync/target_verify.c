/* Reading back what was staged, from the medium, before it takes its place. */
#include "target_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/sync/disk.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool td_cancelled(struct td_target *target) {
    return atomic_load(&target->cancel);
}

static int td_verify_tick(void *ctx, uint64_t bytes) {
    (void)bytes;
    return td_cancelled(ctx) ? -ECANCELED : 0;
}

/* A file that cannot be read back may be one bad spot, or the whole device: does it still take anything? */
static void td_probe_member(struct td_target *target) {
    struct td_error err = {0};
    int fd = openat(target->staging, "probe", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : td_pwrite_all(fd, "", 1, 0);
    if (rc == 0 && td_sys.fsync(fd) < 0)
        rc = -errno;
    if (fd >= 0) {
        (void)td_sys.unlinkat(target->staging, "probe", 0);
        close(fd);
    }
    if (td_errno_is_lost(-rc)) {
        td_fail(&err, -rc, "the member cannot be read or written any more");
        td_target_end(target, TD_TARGET_LOST, err.text);
    }
}

static void td_verify(struct td_target *target, struct td_task *task) {
    struct td_hash_watch watch = {.tick = td_verify_tick, .ctx = target};
    struct td_hash_result result;
    char name[TD_STAGED_NAME_MAX];
    td_staged_name(name, "new", task->number);
    td_hash_file_watched(target->staging, name, target->buffer, &watch, &result);
    if (result.error == ECANCELED)
        return;
    struct td_error err = {0};
    if (result.error != 0)
        td_fail(&err, result.error, "%s could not be read back", task->op.path);
    else if (memcmp(result.hash, task->hash, TD_HASH_LEN) != 0)
        td_fail_text(&err, EIO, "%s was read back different from what was written", task->op.path);
    if (err.code == 0)
        return;
    td_task_fail(task, err.code, err.text);
    if (td_errno_is_lost(result.error))
        td_probe_member(target);
}

/* Small ones together, from the device: what comes out right there is right. What does not is asked for as a file, and
 * so is what cannot be read so. */
static void td_verify_together(struct td_target *target, struct td_task *const *tasks, size_t count) {
    char names[TD_DISK_BATCH][TD_STAGED_NAME_MAX];
    struct td_disk_file *files = target->files;
    for (size_t i = 0; i < count; i++) {
        td_staged_name(names[i], "new", tasks[i]->number);
        files[i] = (struct td_disk_file){.path = names[i]};
    }
    td_disk_locate(target->disk, files, count);
    for (size_t i = 0; i < count && !td_cancelled(target);)
        i += td_disk_read(target->disk, &files[i], count - i);
    for (size_t i = 0; i < count && target->state == TD_TARGET_OK && !td_cancelled(target); i++)
        if (!files[i].read || files[i].result.bytes != tasks[i]->size ||
            memcmp(files[i].result.hash, tasks[i]->hash, TD_HASH_LEN) != 0)
            td_verify(target, tasks[i]);
}

void td_batch_verify(struct td_target *target) {
    struct td_task *together[TD_DISK_BATCH];
    size_t count = 0;
    for (struct td_task *task = target->batch.head; task; task = task->next) {
        if (target->state != TD_TARGET_OK || td_cancelled(target))
            return;
        if (task->op.action != TD_ACT_COPY)
            continue;
        if (!target->disk || task->size > TD_DISK_SMALL) {
            td_verify(target, task);
            continue;
        }
        together[count++] = task;
        if (count < TD_DISK_BATCH)
            continue;
        td_verify_together(target, together, count);
        count = 0;
    }
    if (count > 0)
        td_verify_together(target, together, count);
}
