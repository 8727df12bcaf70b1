/*
 * Batches. What arrives is staged; at the end of a batch one syncfs makes the data durable, each copy is read back from
 * the medium and compared, and everything is carried out in its order. It is reported after the syncfs that follows.
 *
 * Only copies fill a batch: operations on names cost no room, and directories and moves that depend on one another
 * must be seen together. Every move of a batch takes hold of its old content (a link in staging) when it arrives,
 * before anything of the batch is carried out; so chains and swaps come out right in any order.
 */
#include "target_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TD_WRITE_BEHIND (4U << 20) /* bytes */
#define TD_BATCH_TASKS 100000      /* bounds the memory for operations on names */

static bool td_cancelled(struct td_target *target) {
    return atomic_load(&target->cancel);
}

/* Does the operation give its path content that others may be linked to? */
static bool td_gives_content(const struct td_task *task) {
    enum td_action action = task->op.action;
    return action == TD_ACT_COPY || action == TD_ACT_MOVE || action == TD_ACT_SPECIAL;
}

/* Takes the task over. */
static void td_report(struct td_target *target, struct td_task *task) {
    struct td_op_done done = {
        .side = target->options.side,
        .id = task->op.id,
        .action = task->op.action,
        .path = task->op.path,
        .from = task->op.from,
        .kept = task->op.action == TD_ACT_DELETE && task->op.keep,
        .error = task->error,
        .text = task->text,
        .bytes = task->op.action == TD_ACT_COPY ? task->written : 0,
        .idle = task->idle,
        .left_out = task->left_out,
        .off_time = task->off_time,
    };
    memcpy(done.hash, task->hash, TD_HASH_LEN);
    if (task->error == 0)
        done.items = task->items;
    if (task->error != 0 && td_gives_content(task) && target->state == TD_TARGET_OK)
        td_failed_note(target, task->op.path);
    if (target->options.done)
        target->options.done(target->options.ctx, &done);
    td_task_free(task);
}

static void td_report_all(struct td_target *target, struct td_task_list *list) {
    struct td_task *task;
    while ((task = td_task_pop(list)))
        td_report(target, task);
}

/* The member has ended: nothing that has not been reported can be vouched for. */
static void td_batch_abandon(struct td_target *target) {
    struct td_task *task;
    while ((task = td_task_pop(&target->placed)) || (task = td_task_pop(&target->batch))) {
        td_stage_drop(target, task);
        td_task_fail(task, ESHUTDOWN, target->reason);
        td_report(target, task);
    }
    target->copies = 0;
    target->copied = 0;
}

/* After this everything written is on the medium, or the member has ended: a syncfs that has failed is not repeated,
 * for the kernel has forgotten what it could not write. */
static bool td_batch_sync(struct td_target *target) {
    if (td_sys.syncfs(target->staging) == 0)
        return true;
    struct td_error err = {0};
    int rc = td_fail(&err, errno, "cannot make the member's data durable");
    td_target_end(target, td_errno_is_full(-rc) ? TD_TARGET_FULL : TD_TARGET_LOST, err.text);
    td_batch_abandon(target);
    return false;
}

/* --- the end of a batch ------------------------------------------------------------------------------------- */

static void td_batch_place(struct td_target *target) {
    while (target->state == TD_TARGET_OK && !td_cancelled(target)) {
        struct td_task *task = td_task_pop(&target->batch);
        if (!task)
            break;
        struct td_error err = {0};
        if (task->error == 0)
            td_target_judge(target, task, td_place_task(target, task, &err), &err);
        td_stage_drop(target, task);
        if (task->error != 0) {
            td_report(target, task);
            continue;
        }
        if (td_gives_content(task))
            td_failed_forget(target, task->op.path);
        td_task_push(&target->placed, task);
    }
    target->copies = 0;
    target->copied = 0;
}

static void td_batch_end(struct td_target *target) {
    if (target->copies > 0) {
        if (!td_batch_sync(target))
            return;
        td_report_all(target, &target->placed); /* of the batch before: durable by now */
        td_batch_verify(target);
        td_delta_batch(target);
    }
    if (target->state == TD_TARGET_OK && !td_cancelled(target))
        td_batch_place(target);
    if (target->state != TD_TARGET_OK)
        td_batch_abandon(target);
}

/* Everything carried out, durable and reported. */
static void td_batch_flush(struct td_target *target) {
    td_batch_end(target);
    if (td_cancelled(target) || target->state != TD_TARGET_OK || target->placed.count == 0)
        return;
    if (td_batch_sync(target))
        td_report_all(target, &target->placed);
}

static bool td_batch_is_full(const struct td_target *target) {
    return target->copies >= target->options.batch_files || target->copied >= target->options.batch_bytes ||
           target->batch.count >= TD_BATCH_TASKS;
}

static void td_batch_add(struct td_target *target, struct td_task *task) {
    td_task_push(&target->batch, task);
    if (task->op.action != TD_ACT_COPY)
        return;
    target->copies++;
    target->copied += task->written;
}

/* --- what arrives --------------------------------------------------------------------------------------------- */

static void td_handle_op(struct td_target *target, struct td_packet *packet) {
    struct td_task *task = td_take_ptr(&packet->task);
    struct td_error err = {0};
    int rc = 0;
    if (td_batch_is_full(target))
        td_batch_end(target);
    if (target->state != TD_TARGET_OK)
        td_task_fail(task, ESHUTDOWN, target->reason);
    else if (task->op.action == TD_ACT_SPECIAL)
        rc = td_stage_special(target, task, &err);
    else if (task->op.action == TD_ACT_MOVE)
        rc = td_stage_link(target, task, &err);
    if (rc == 0 && task->error == 0 && task->op.action == TD_ACT_SPECIAL) {
        char name[TD_STAGED_NAME_MAX];
        td_staged_name(name, "new", task->number);
        rc = td_stage_attributes(target, task, target->staging, name, &err);
    }
    td_target_judge(target, task, rc, &err);
    if (task->error == 0) {
        td_batch_add(target, task);
        return;
    }
    td_stage_drop(target, task);
    td_report(target, task);
}

static void td_drop_current(struct td_target *target) {
    if (target->current)
        td_stage_drop(target, target->current);
    td_task_free(target->current);
    target->current = NULL;
}

static void td_handle_begin(struct td_target *target, struct td_packet *packet) {
    struct td_error err = {0};
    td_drop_current(target);
    if (td_batch_is_full(target))
        td_batch_end(target);
    struct td_task *task = target->current = td_take_ptr(&packet->task);
    task->size = packet->size;
    if (target->state != TD_TARGET_OK)
        td_task_fail(task, ESHUTDOWN, target->reason);
    else
        td_target_judge(target, task, td_stage_file(target, task, packet->need, &err), &err);
}

/* Let the disk begin now, while more comes in: the syncfs at the end of the batch then has little left to wait for. A
 * hint alone: whether it has come about is what the syncfs says, and the reading back. */
static void td_write_behind(struct td_task *task) {
    if (task->end - task->sent < TD_WRITE_BEHIND)
        return;
    (void)sync_file_range(task->fd, (off_t)task->sent, (off_t)(task->end - task->sent), SYNC_FILE_RANGE_WRITE);
    task->sent = task->end;
}

static void td_handle_data(struct td_target *target, struct td_packet *packet) {
    struct td_task *task = target->current;
    const struct td_piece *piece = packet->piece;
    if (!task || task->error != 0)
        return;
    int rc;
    do
        rc = td_pwrite_all(task->fd, piece->data, piece->len, (off_t)packet->offset);
    while (td_room_retry_data(target, rc));
    if (rc < 0) {
        struct td_error err = {0};
        td_fail(&err, -rc, "cannot write %s", task->op.path);
        td_target_judge(target, task, rc, &err);
        td_stage_drop(target, task);
        return;
    }
    task->written += piece->len;
    task->end = packet->offset + piece->len;
    td_write_behind(task);
    pthread_mutex_lock(&target->lock);
    target->bytes += piece->len;
    pthread_mutex_unlock(&target->lock);
}

/* A hole at the end has nothing that was written behind it. */
static int td_finish_size(struct td_target *target, struct td_task *task) {
    int rc = 0;
    if (task->end != task->size)
        do
            rc = td_sys.ftruncate(task->fd, (off_t)task->size) < 0 ? -errno : 0;
        while (rc == -EINTR || td_room_retry_data(target, rc));
    return rc;
}

static int td_finish_file(struct td_target *target, struct td_task *task, const struct td_copy_read *read,
                          struct td_error *err) {
    char name[TD_STAGED_NAME_MAX];
    task->size = read->entry.size;
    memcpy(task->hash, read->hash, TD_HASH_LEN);
    task->entry = read->entry;
    task->entry.path = task->op.path;
    task->entry.target = NULL;
    task->op.entry = &task->entry;
    int rc = td_finish_size(target, task);
    if (rc < 0)
        return td_fail(err, -rc, "cannot write %s", task->op.path);
    if (close(task->fd) < 0)
        rc = -errno;
    task->fd = -1;
    if (rc < 0 && rc != -EINTR)
        return td_fail(err, -rc, "cannot write %s", task->op.path);
    td_staged_name(name, "new", task->number);
    return td_stage_attributes(target, task, target->staging, name, err);
}

static void td_handle_end(struct td_target *target, struct td_packet *packet) {
    struct td_task *task = td_take_ptr(&target->current);
    struct td_error err = {0};
    if (!task)
        return;
    if (target->state != TD_TARGET_OK)
        td_task_fail(task, ESHUTDOWN, target->reason);
    if (task->error == 0)
        td_target_judge(target, task, td_finish_file(target, task, packet->read, &err), &err);
    if (task->error == 0) {
        td_batch_add(target, task);
        return;
    }
    td_stage_drop(target, task);
    td_report(target, task);
}

static void td_handle_fail(struct td_target *target, struct td_packet *packet) {
    struct td_task *task = td_take_ptr(&packet->task);
    /* The reader gave up because the members did: why this one did says more. */
    if (task->error == ESHUTDOWN && target->current && target->current->error != 0) {
        struct td_task *current = td_take_ptr(&target->current);
        td_task_free(task);
        task = current;
    }
    td_drop_current(target);
    td_report(target, task);
}

/* A member that is ending: there is no room, and no older history left to give up. What is staged may still find its
 * place. */
static void td_batch_settle(struct td_target *target) {
    struct td_error err = {0};
    if (td_cancelled(target))
        return;
    if (target->filling && target->state == TD_TARGET_OK) {
        td_batch_flush(target);
        td_fail(&err, ENOSPC, "the member is full");
        td_target_end(target, TD_TARGET_FULL, err.text);
    }
    if (target->state != TD_TARGET_OK)
        td_batch_abandon(target);
}

static void td_handle_flush(struct td_target *target, const struct td_packet *packet) {
    td_batch_flush(target);
    td_batch_settle(target);
    pthread_mutex_lock(&target->lock);
    target->flushed = packet->ticket;
    pthread_cond_broadcast(&target->moved);
    pthread_mutex_unlock(&target->lock);
}

void td_batch_handle(struct td_target *target, struct td_packet *packet) {
    switch (packet->kind) {
    case TD_PACKET_OP:
        td_handle_op(target, packet);
        break;
    case TD_PACKET_BEGIN:
        td_handle_begin(target, packet);
        break;
    case TD_PACKET_DATA:
        td_handle_data(target, packet);
        break;
    case TD_PACKET_END:
        td_handle_end(target, packet);
        break;
    case TD_PACKET_RESTART:
        td_drop_current(target);
        break;
    case TD_PACKET_FAIL:
        td_handle_fail(target, packet);
        break;
    case TD_PACKET_FLUSH:
        td_handle_flush(target, packet);
        break;
    }
    td_batch_settle(target);
}

void td_batch_discard(struct td_target *target) {
    struct td_task *task;
    td_drop_current(target);
    while ((task = td_task_pop(&target->batch)) || (task = td_task_pop(&target->placed))) {
        td_stage_drop(target, task);
        td_task_free(task);
    }
}
