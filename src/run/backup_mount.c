/* The members as a run mounts them: to look and plan, and to be written to. */
#include "twindock/base/buf.h"
#include "twindock/platform/mount.h"
#include "twindock/run/backup.h"

#include <errno.h>
#include <string.h>

static const char *const root_skips[] = {".twindock", "lost+found", NULL};

void td_backup_connect(struct td_backup *backup) {
    const char *const *skips = strcmp(backup->collection->target, ".") == 0 ? root_skips : NULL;
    struct td_engine *engine = &backup->engine;
    engine->side[TD_SOURCE].skip_top = skips;
    for (int side = TD_A; side <= TD_B; side++) {
        engine->side[side].root = backup->docking.mounted[side].collection;
        engine->side[side].store = backup->docking.mounted[side].store;
        engine->side[side].skip_top = skips;
        engine->side[side].from_device = true;
    }
}

/* Somebody has put something else in the place of the collection's directory: that member has failed before it was
 * written to, and the other is served. */
static bool lose_blocked(struct td_backup *backup, enum td_side side, int rc) {
    TD_AUTOBUF struct td_buf reason = {0};
    if (rc != -ENOTDIR)
        return false;
    backup->blocked[side] = true;
    td_buf_printf(&reason, "what stands at %s on it is no directory", backup->collection->target);
    td_engine_lose(&backup->engine, side, td_buf_text(&reason));
    return true;
}

/* The directory is there and cannot be read: the superblock knows nothing of that, and the other is served. */
static bool lose_damaged(struct td_backup *backup, enum td_side side, int rc, const struct td_error *error) {
    TD_AUTOBUF struct td_buf reason = {0};
    if (!td_docking_own_fault(rc))
        return false;
    td_buf_printf(&reason, "%s; repair its filesystem with `e2fsck -f %s`", error->text,
                  td_docking_slot(&backup->docking, side)->fs.device.node);
    td_engine_lose(&backup->engine, side, td_buf_text(&reason));
    return true;
}

int td_backup_mount_to_look(struct td_backup *backup, struct td_error *err) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        if (!backup->engine.side[side].alive)
            continue;
        int rc = td_docking_mount_side(&backup->docking, (enum td_side)side, backup->collection->target, true, &error);
        if (rc == 0)
            rc = td_backup_look_for_target(backup, (enum td_side)side, &error);
        if (rc == 0 || lose_blocked(backup, (enum td_side)side, rc) ||
            lose_damaged(backup, (enum td_side)side, rc, &error))
            continue;
        *err = error;
        return rc;
    }
    return 0;
}

/* What history leaves free: the configured part of the disk, and the room in which the papers are written anew beside
 * the old ones, with as much again for what they grow by. Without it a small disk with much history would be full. */
static void reserve(struct td_backup *backup, uint64_t total, uint64_t papers) {
    uint64_t wanted = total / 10000 * (uint64_t)backup->collection->history_reserve + 2 * papers;
    if (wanted > backup->engine.reserve)
        backup->engine.reserve = wanted;
}

void td_backup_mount_for_writing(struct td_backup *backup) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        uint64_t total = 0, available = 0;
        if (!backup->engine.side[side].alive)
            continue;
        int rc = td_docking_mount_side(&backup->docking, (enum td_side)side, backup->collection->target, false, &error);
        if (rc == 0)
            rc = td_mount_space(backup->docking.mounted[side].root, &total, &available, &error);
        if (lose_blocked(backup, (enum td_side)side, rc))
            continue;
        if (rc != 0)
            td_engine_lose(&backup->engine, (enum td_side)side, error.text);
        else
            reserve(backup, total, td_backup_papers(backup->docking.mounted[side].store));
    }
    td_backup_connect(backup);
}
