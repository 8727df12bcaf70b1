/*
 * Detached mounts: fsopen/fsconfig/fsmount, never attached to any tree, so the last close takes them away even
 * when the program is killed. Always nosuid, nodev, noexec, nosymfollow, noatime. Mount options stored in the
 * superblock (tune2fs -o, -E mount_opts=) are overridden: errors=remount-ro, barrier, commit=5, data=ordered, and
 * others; those that cannot be are refused beforehand by td_ext4_refused (ext4.h). Measured on Linux 6.18:
 *
 * - The descriptor of the root directory alone keeps the mount: once fsmount's own descriptor is closed, openat2 with
 *   RESOLVE_BENEATH, creation, O_TMPFILE, linkat (by /proc/self/fd, too), renameat2, syncfs and the
 *   ext4 ioctls work below it as before, and the mount's attributes hold.
 * - When the last descriptor is closed the device is free at once; when the process is killed, a moment
 *   later. td_blockdev_wait_free (blockdev.h) tells.
 * - "ro,noload" still writes: to a disk with orphans (files that were open while deleted when power was cut), with
 *   no journal to cover it, and to the superblock of one on which it meets a fault. A disk is therefore write-protected
 *   (BLKROSET) for as long as it is mounted read-only; a kill -9 meanwhile is made good by the next mount
 *   (write_protection.h).
 * - "data=" is refused together with noload; so is a stored commit= other than 5 unless overridden; a
 *   stored data=journal would switch O_DIRECT off.
 */
#ifndef TWINDOCK_PLATFORM_MOUNT_H
#define TWINDOCK_PLATFORM_MOUNT_H

#include "twindock/base/error.h"
#include "twindock/platform/blockdev.h"
#include "twindock/platform/write_protection.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Mount ext4. read_only: as td_mount_read_only, but write-protected only while the mount is made. Returns the
 * descriptor of the root directory, opened O_RDONLY|O_DIRECTORY; closing it (and all descriptors below it) unmounts.
 * Checks that what was mounted is `device` by its number. Waits up to 2 s for a device still in use, then -EBUSY: a
 * filesystem that is mounted elsewhere is never shared. -EACCES or -EROFS: write-protected. The text has the kernel's
 * reason.
 */
int td_mount_ext4(const struct td_blockdev *device, bool read_only, struct td_error *err);

/* The same read-only for longer than a moment: "ro,noload", which replays no journal, on a device that cannot be
 * written meanwhile. Not a bit of it changes, however damaged it is. Once the descriptor and all below it are closed,
 * td_write_protect_end(hold). */
int td_mount_read_only(const struct td_blockdev *device, struct td_write_protection *hold, struct td_error *err);

/* Bring what the journal holds into place (EXT4_IOC_CHECKPOINT), so that it is visible without replay. Syncs first.
 * -EOPNOTSUPP on kernels before 5.14: freezing would do the same, but a kill while frozen would leave the
 * filesystem frozen and mounted for ever. */
int td_mount_checkpoint(int root, struct td_error *err);

/* Is this directory a mount point (statx STATX_ATTR_MOUNT_ROOT)? 1, 0 or negative errno
 * (-EOPNOTSUPP before Linux 5.8). Also for O_PATH descriptors. */
int td_mount_is_root(int dirfd);

/* Is a filesystem on this device in this process's mount tree (proc(5), mountinfo)? Asks no disk. */
bool td_mount_in_use(dev_t number);

/* Bytes in all and bytes available to root on the filesystem of fd. */
int td_mount_space(int fd, uint64_t *total, uint64_t *available, struct td_error *err);

#endif
