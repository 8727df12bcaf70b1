/* What udevd knows: which device sits at which place. Works without udevd too; then nothing is found. */
#ifndef TWINDOCK_PLATFORM_UDEV_H
#define TWINDOCK_PLATFORM_UDEV_H

#include "twindock/base/error.h"
#include "twindock/platform/blockdev.h"

#include <stddef.h>

struct td_udev_properties {
    char id_path[256]; /* ID_PATH */
    char serial[256];  /* ID_SERIAL_SHORT; behind USB it is the bridge's */
    char wwn[256];     /* ID_WWN_WITH_EXTENSION or ID_WWN */
    char model[256];   /* ID_MODEL */
};

/* The whole disk whose ID_PATH is `id_path`. 0, -ENOENT when none is there (err untouched), -ENOTUNIQ when udev reports
 * two there, or an error. An empty card reader is found too: its size is 0. */
int td_udev_find_path(const char *id_path, struct td_blockdev *out, struct td_error *err);

/* A whole disk with a medium in it, and the name of the place it is in. */
struct td_udev_disk {
    char id_path[256]; /* ID_PATH; "" where no udevd runs */
    struct td_blockdev disk;
};

/* All disks that could sit in a dock, in an array to free(): where udevd runs those that have an ID_PATH by now (loop
 * devices and the like never get one), elsewhere all that have a medium. Empty slots of a reader are left out. */
int td_udev_disks(struct td_udev_disk **out, size_t *count, struct td_error *err);

/* Properties of a device; what udevd does not know is "". */
int td_udev_properties(dev_t number, struct td_udev_properties *out, struct td_error *err);

/* Wait for udevd to have handled all queued events, at most `timeout_ms`; 0 at once where no udevd runs.
 * -ETIMEDOUT when events are still queued then. */
int td_udev_settle(int timeout_ms);

#endif
