/*
 * The kernel's own write protection of a block device (BLKROSET), for as long as a disk is mounted
 * read-only.
 *
 * The flag outlives the process that set it. So that a kill meanwhile does not leave a disk that cannot be written
 * until it is plugged in anew, an empty file in /run/twindock (gone after a boot, as the flag is) says first that it is
 * ours: "protected-<major>:<minor>", locked (flock) by the process at work. Where /run cannot be written it is done
 * without that note.
 */
#ifndef TWINDOCK_PLATFORM_WRITE_PROTECTION_H
#define TWINDOCK_PLATFORM_WRITE_PROTECTION_H

#include "twindock/platform/blockdev.h"

/* Nothing to undo: {-1, -1}. */
struct td_write_protection {
    int device; /* write-protected by us */
    int note;   /* locked; -1: none could be made */
    dev_t number;
};

#define TD_UNPROTECTED                                                                                                 \
    { .device = -1, .note = -1 }

/* Set the flag. When it is set already, and not by a process of ours that died, it is somebody else's and stays: 0 with
 * nothing to undo. 0 or a negative errno. */
int td_write_protect(const struct td_blockdev *device, struct td_write_protection *out);
void td_write_protect_end(struct td_write_protection *protection);

/* Take away the flag that a process of ours left when it was killed. */
void td_write_protect_recover(const struct td_blockdev *device);

#endif
