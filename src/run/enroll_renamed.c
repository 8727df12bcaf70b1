/*
 * Two disks whose cards agree with each other, but name another collection: the pair of a collection that has got a new
 * name. They are taken up under it when the files stay where they are on the disks; if the new name had a directory of
 * its own there, all would be copied a second time beside them.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/platform/mount.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* 1: the directory is on the disk in this slot, 0: it is not, or a negative errno. */
static int has_directory(const struct td_docking *docking, int slot, const char *target, struct td_error *err) {
    const struct td_blockdev *device = &docking->seen.slots[slot].fs.device;
    struct td_write_protection hold;
    int root = td_mount_read_only(device, &hold, err);
    if (root < 0)
        return root;
    int dir = td_open_beneath(root, strcmp(target, ".") == 0 ? "" : target, O_RDONLY | O_DIRECTORY, 0);
    if (dir >= 0)
        close(dir);
    close(root);
    int rc = td_blockdev_wait_free(device->node, 10000, err);
    td_write_protect_end(&hold);
    return rc < 0 ? rc : dir >= 0;
}

bool td_enrolling_another_name(const struct td_docking *docking, const struct td_card cards[2],
                               const char *collection) {
    const char *uuid = docking->seen.slots[TD_SLOT_SOURCE].super.uuid;
    return cards[0].member == 'A' && cards[1].member == 'B' && strcasecmp(cards[0].pair, uuid) == 0 &&
           strcasecmp(cards[1].pair, uuid) == 0 && strcmp(cards[0].token, cards[1].token) != 0 &&
           strcmp(cards[0].collection, cards[1].collection) == 0 && strcmp(cards[0].collection, collection) != 0;
}

int td_enrolling_rename(const struct td_docking *docking, const char *collection, struct td_card cards[2],
                        struct td_error *err) {
    const char *old = cards[0].collection, *file = docking->config->file;
    const char *target = td_config_collection(docking->config, collection)->target;
    if (td_config_collection(docking->config, old) != NULL) {
        td_fail_text(
            err, EEXIST,
            "By their cards these disks are the backup of %s, which `twindock enroll %s` takes up again. If %s "
            "is to be its name from now on, take the section [collection %s] out of %s first. Nothing was "
            "written.",
            old, old, collection, old, file);
        return TD_EXIT_REFUSED;
    }
    for (int i = 0; i < TD_SLOTS; i++) {
        int there = has_directory(docking, i, target, err);
        if (there < 0)
            return there;
        if (there)
            continue;
        td_fail_text(err, ENOENT,
                     "By their cards these disks are the backup of %s, of which %s has no section. If %s is its new "
                     "name, write `target = %s` (or the target that it had) into the section [collection %s], so that "
                     "the files stay where they are on the disks, and say `twindock enroll %s` again. If not, name the "
                     "section [collection %s] again. Nothing was written.",
                     old, file, collection, old, collection, collection, old);
        return TD_EXIT_REFUSED;
    }
    for (int i = 0; i < TD_SLOTS; i++)
        snprintf(cards[i].collection, sizeof cards[i].collection, "%s", collection);
    return 0;
}
