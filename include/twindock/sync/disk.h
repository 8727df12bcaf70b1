/*
 * Reading many small files in one go: from the block device below their filesystem, in long pieces, each piece hashed
 * for the file that it belongs to. What is read so comes from the medium (O_DIRECT), never from a cache.
 *
 * Where a file lies is asked (FIEMAP) just before it is read, or was told by the walk on a filesystem that nobody else
 * has mounted, for a file that has not been touched since. What has one plain extent and is small enough can be read
 * so, and large ones that the walk has located; everything else (with holes, in pieces, inline, encoded, unwritten) by
 * the ordinary way of sync/hash.h.
 *
 * Bytes found so can only confirm what is expected of a file. If they are others, nothing follows: the file may have
 * been written meanwhile, or its blocks may have moved. Then the file itself is read, and what is told is told of it.
 * On filesystems that spread over several devices FIEMAP means something else; only ext4 and XFS are read so.
 */
#ifndef TWINDOCK_SYNC_DISK_H
#define TWINDOCK_SYNC_DISK_H

#include "twindock/base/error.h"
#include "twindock/sync/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TD_DISK_BATCH 256U         /* files looked at together */
#define TD_DISK_SMALL (256U << 10) /* bytes: larger files gain nothing from being read with others */

struct td_disk;

/* The device that the filesystem of `root` lies on. -ENOTBLK and the like when it has none: read the ordinary way. */
int td_disk_open(int root, struct td_disk **out, struct td_error *err);
void td_disk_close(struct td_disk *disk); /* NULL is allowed */

struct td_disk_file {
    const char *path;     /* NULL: none */
    bool located;         /* place and size are known to the caller, who knows that nobody has written the file since */
    uint64_t place, size; /* in one piece */
    bool read;            /* after td_disk_read(): `result` is filled in; else the file must be read the ordinary way */
    struct td_hash_result result; /* its stat only where the file had to be located */
    bool readable;                /* from the device, with others: what td_disk_locate() finds out */
    bool alone;                   /* from the device, but by itself: it is larger than what is read together */
};
/* Where do these files lie, and can they be read there? */
void td_disk_locate(struct td_disk *disk, struct td_disk_file *files, size_t count);
/* Read the first of these files, and those behind it that are taken along in the same piece. Returns how many: go on
 * behind them. Those with `read` still false are to be read the ordinary way. */
size_t td_disk_read(struct td_disk *disk, struct td_disk_file *files, size_t count);
/* Read a file that is `alone`, without asking the filesystem for it: the way to its inode and the directories above it
 * is longer than to its neighbour. `watch` with a digest. After an error `read` stays false. */
void td_disk_read_alone(struct td_disk *disk, struct td_disk_file *file, const struct td_hash_watch *watch);

#endif
