/* Block devices by their numbers and in sysfs. Source: sysfs-block(5) ABI, Documentation/ABI/stable/sysfs-block. */
#ifndef TWINDOCK_PLATFORM_BLOCKDEV_H
#define TWINDOCK_PLATFORM_BLOCKDEV_H

#include "twindock/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TD_NODE_MAX 256

struct td_blockdev {
    char node[TD_NODE_MAX];    /* "/dev/sdb1" */
    char sysname[TD_NODE_MAX]; /* "sdb1" */
    char disk[TD_NODE_MAX];    /* sysname of the whole disk, "sdb"; equal to sysname for a disk */
    dev_t number, disk_number;
    uint64_t size;    /* bytes; 0: an empty card reader or unset loop device */
    uint64_t diskseq; /* of the whole disk, changes when another medium is put in; 0: the kernel does not say */
    bool rotational;
};

/* Describe a device node: follows symlinks such as /dev/disk/by-path/..., must end at a block device.
 * -ENOENT, -ENOTBLK, -ENXIO (no such device behind the node). */
int td_blockdev_from_node(const char *node, struct td_blockdev *out, struct td_error *err);
/* The same from device numbers, by /sys/dev/block and /dev/<name>. */
int td_blockdev_from_number(dev_t number, struct td_blockdev *out, struct td_error *err);

/* The partitions of a whole disk, in order; at most `max`; returns how many. */
int td_blockdev_partitions(const struct td_blockdev *disk, struct td_blockdev *out, int max, struct td_error *err);

/* Open the node read-only (O_CLOEXEC|O_NONBLOCK) and take flock(LOCK_EX) on it, waiting up to 5 s for udevd's
 * probe to end. A descriptor that holds the lock, -EBUSY when another program holds it.
 * systemd's "Locking Block Device Access" explains why the whole disk is what is locked. */
int td_blockdev_lock(const char *node, struct td_error *err);

/* Is what `fd` has open still this device: the same number, size, and medium (BLKGETDISKSEQ, where the kernel counts
 * them)? Names are given anew when a disk goes and another comes; what is open is not. -ENXIO with the sentence. */
int td_blockdev_check_open(int fd, const struct td_blockdev *device, struct td_error *err);

/* Wait until nothing holds the device (O_EXCL succeeds), at most `timeout_ms`. -EBUSY: something still does. */
int td_blockdev_wait_free(const char *node, int timeout_ms, struct td_error *err);

/* Is there nothing on the device, as on a new or a wiped one: zeros, or 0xff, and nothing else? It is read where
 * filesystems, partition tables and their copies lie, and in samples all over it, not in full. 1, 0 or a negative
 * errno.
 */
int td_blockdev_is_blank(const struct td_blockdev *device, struct td_error *err);

/* Is the device write-protected (BLKROGET)? 1, 0 or a negative errno. */
int td_blockdev_is_protected(const char *node);

#endif
