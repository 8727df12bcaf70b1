/*
 * Detached mounts: fsopen/fsconfig/fsmount, never attached to any tree, so the last close takes them away even
 * when the program is killed. Always nosuid, nodev, noexec, nosymfollow, noatime. Mount options stored
 * in the superblock are overridden (errors=remount-ro, barrier, data=ordered).
 */
#ifndef TWINDOCK_PLATFORM_MOUNT_H
#define TWINDOCK_PLATFORM_MOUNT_H

#include "twindock/base/error.h"
#include "twindock/platform/blockdev.h"

#include <stdbool.h>

/* Mount ext4. read_only: "ro,noload", which replays no journal and writes nothing. Returns the descriptor of the root
 * directory, opened O_RDONLY|O_DIRECTORY; closing it (and all descriptors below it) unmounts. Checks
 * that what was mounted is `device` by its number. */
int td_mount_ext4(const struct td_blockdev *device, bool read_only, struct td_error *err);

/* Bring what the journal holds into place (EXT4_IOC_CHECKPOINT), so that it is visible without replay. Syncs first. */
int td_mount_checkpoint(int root, struct td_error *err);

/* Is this directory a mount point (statx STATX_ATTR_MOUNT_ROOT)? 1, 0 or negative errno. */
int td_mount_is_root(int dirfd);

/* Bytes in all and bytes available to root on the filesystem of fd. */
int td_mount_space(int fd, uint64_t *total, uint64_t *available, struct td_error *err);

#endif
