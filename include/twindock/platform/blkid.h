/* What is on a device, by libblkid's low-level probing: never from its cache, never from /dev/disk/by-uuid. */
#ifndef TWINDOCK_PLATFORM_BLKID_H
#define TWINDOCK_PLATFORM_BLKID_H

#include "twindock/base/error.h"
#include "twindock/platform/blockdev.h"

#include <stdbool.h>

struct td_filesystem {
    struct td_blockdev device; /* the disk itself, or its partition that holds the filesystem */
    char type[32];             /* "ext4", "ntfs", "crypto_LUKS"; "" when nothing is recognised */
    char label[256];           /* raw bytes of the label */
    char uuid[64];             /* as blkid prints it; "" if none */
    bool partition_table;      /* the disk is partitioned */
    bool ambivalent;           /* several signatures, or a filesystem beneath a partition table: not to be trusted */
};

/* Probe one device for a filesystem. 0 also when nothing is recognised (type "") or no medium is in (size 0).
 * -EIO when it cannot be read. */
int td_blkid_probe(const struct td_blockdev *device, struct td_filesystem *out, struct td_error *err);

/* The filesystem of a disk: on the whole disk, else on its partitions: the one whose UUID `wanted(ctx, uuid)`
 * accepts (wanted may be NULL; two of them make it ambivalent), else the largest one that holds a filesystem.
 * A partition without a node in /dev is passed over: it cannot be read. */
int td_blkid_find(const struct td_blockdev *disk, bool (*wanted)(const void *ctx, const char *uuid), const void *ctx,
                  struct td_filesystem *out, struct td_error *err);

/* Erase every signature libblkid knows from a device that nothing else uses, so that what is made on it next
 * stands alone. -EBUSY when it is in use. */
int td_blkid_wipe(const char *node, struct td_error *err);

#endif
