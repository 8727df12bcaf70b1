/* Members that are lost or full, and making room by giving up older history. */
#include "target_private.h"

#include "twindock/base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* With less than this to be had, a member that says "no space" is believed. */
#define TD_ROOM_BYTES (1ULL << 20)
#define TD_ROOM_INODES 16

/* A member with this part of itself to give is not full: it is the file that is too big. */
#define TD_ROOMY 16

/* ext4 keeps back a fiftieth of its blocks, at most 4096, from everybody. */
#define TD_EXT4_KEPT_PART 50
#define TD_EXT4_KEPT_BLOCKS 4096

bool td_errno_is_lost(int errnum) {
    return errnum == EIO || errnum == EROFS || errnum == ENODEV || errnum == ENXIO || errnum == ESHUTDOWN;
}

bool td_errno_is_full(int errnum) {
    return errnum == ENOSPC || errnum == EDQUOT;
}

void td_target_end(struct td_target *target, enum td_target_state state, const char *reason) {
    if (target->state != TD_TARGET_OK)
        return;
    snprintf(target->reason, sizeof(target->reason), "%s", reason);
    pthread_mutex_lock(&target->lock);
    target->state = state;
    pthread_cond_broadcast(&target->moved);
    pthread_mutex_unlock(&target->lock);
}

int td_target_judge(struct td_target *target, struct td_task *task, int rc, const struct td_error *err) {
    if (rc >= 0)
        return rc;
    td_task_fail(task, -rc, err->text);
    if (td_errno_is_lost(-rc))
        td_target_end(target, TD_TARGET_LOST, err->text);
    return rc;
}

/* ext4 also says ENOSPC for attributes that are too big, and for directories whose index can grow no more. That is
 * no reason to throw history away, nor to end the member. */
static bool td_room_is_short(struct td_target *target) {
    struct statvfs fs;
    if (fstatvfs(target->staging, &fs) < 0)
        return true;
    return (uint64_t)fs.f_bavail * fs.f_frsize < TD_ROOM_BYTES || (fs.f_files > 0 && fs.f_favail < TD_ROOM_INODES);
}

struct td_room {
    uint64_t size;
    uint64_t available; /* to everybody */
    uint64_t usable;    /* to root, which may use what is reserved */
};

static bool td_room_look(const struct td_target *target, struct td_room *room) {
    struct statvfs fs;
    if (fstatvfs(target->staging, &fs) < 0)
        return false;
    uint64_t kept = fs.f_blocks / TD_EXT4_KEPT_PART;
    if (kept > TD_EXT4_KEPT_BLOCKS)
        kept = TD_EXT4_KEPT_BLOCKS;
    uint64_t usable = fs.f_bfree > kept ? fs.f_bfree - kept : 0;
    room->size = (uint64_t)fs.f_blocks * fs.f_frsize;
    room->available = (uint64_t)fs.f_bavail * fs.f_frsize;
    room->usable = (usable > fs.f_bavail ? usable : fs.f_bavail) * fs.f_frsize;
    return true;
}

/* What older history can still give: measured once, and less by what has come free since. */
static uint64_t td_room_to_give(struct td_target *target) {
    if (target->nothing_left)
        return 0;
    if (!target->spare_known)
        target->spare = td_room_spare(target);
    target->spare_known = true;
    return target->spare;
}

/* Give up the oldest run. The room is there for others only after the next commit. */
static bool td_room_make(struct td_target *target) {
    if (target->nothing_left)
        return false;
    struct td_error err = {0};
    struct td_room before = {0}, after = {0};
    bool looked = td_room_look(target, &before);
    struct td_expired expired = {0};
    int rc = td_history_drop_oldest(target->options.store, target->options.history, &expired, &err);
    target->given_up.runs += expired.runs;
    target->given_up.files += expired.files;
    target->given_up.bytes += expired.bytes;
    if (rc < 0) {
        target->nothing_left = true;
        if (td_errno_is_lost(-rc))
            td_target_end(target, TD_TARGET_LOST, err.text);
        return false;
    }
    if (td_sys.syncfs(target->staging) < 0) {
        td_fail(&err, errno, "cannot make the member's data durable");
        td_target_end(target, TD_TARGET_LOST, err.text);
        return false;
    }
    if (looked && td_room_look(target, &after) && after.usable > before.usable) {
        uint64_t freed = after.usable - before.usable;
        target->spare -= freed < target->spare ? freed : target->spare;
    }
    return true;
}

bool td_room_retry_data(struct td_target *target, int rc) {
    if (!td_errno_is_full(-rc) || target->state != TD_TARGET_OK)
        return false;
    if (td_room_make(target))
        return true;
    target->filling = true;
    return false;
}

bool td_room_retry(struct td_target *target, int rc) {
    if (!td_errno_is_full(-rc) || (rc == -ENOSPC && !td_room_is_short(target)))
        return false;
    return td_room_retry_data(target, rc);
}

/* History is given up only for what can be reached by it: the reserve beside the file, or else the file alone. */
int td_room_reserve(struct td_target *target, uint64_t need) {
    struct td_room room;
    while (target->state == TD_TARGET_OK && td_room_look(target, &room)) {
        uint64_t want = need + target->options.reserve;
        if (room.available >= want)
            break;
        uint64_t spare = td_room_to_give(target);
        if (room.available + spare < want) {
            if (room.usable >= need)
                break;
            if (room.usable + spare < need) {
                if (room.usable + spare < room.size / TD_ROOMY)
                    target->filling = true;
                return -ENOSPC;
            }
        }
        if (!td_room_make(target))
            break;
    }
    return 0;
}
