/*
 * What is done to a drive after a run: its cache flushed, its motor stopped, its power cut.
 *
 * Commands go through SG_IO: SYNCHRONIZE CACHE(10) (SBC-3 5.24), START STOP UNIT (SBC-3 5.22), and ATA STANDBY
 * IMMEDIATE (ACS-3 7.55, E0h, non-data) in ATA PASS-THROUGH 16 and 12 (SAT-3 12.2) where a bridge does not know the
 * second. Devices without any of them (loop, virtio, NVMe) have nothing to be stopped: -EOPNOTSUPP.
 */
#ifndef TWINDOCK_PLATFORM_DRIVE_POWER_H
#define TWINDOCK_PLATFORM_DRIVE_POWER_H

#include "twindock/base/error.h"
#include "twindock/platform/blockdev.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the machine has cached for this whole disk, and what the drive has, is on the medium afterwards. A drive that
 * knows no such command has no cache to flush. -EIO, -ENODEV, -ENXIO: it is not. */
int td_drive_flush(const struct td_blockdev *disk, struct td_error *err);

/* Stop the motor, and wait until it is done. The next access starts it again. -EOPNOTSUPP: there is none (err
 * untouched); -EIO: the drive does not want to, or not in 30 s; -EPERM: without CAP_SYS_RAWIO nobody may ask it;
 * -ENODEV, -ENXIO: it is gone. */
int td_drive_standby(const struct td_blockdev *disk, struct td_error *err);

/* A drive that was told to stop, or stops by itself, may want to be told to start: only then. Takes as long as that
 * takes, 30 s at most; what goes wrong shows when it is read. */
void td_drive_wake(const struct td_blockdev *disk);

/*
 * Cut the power, as far as there is a way: the disks' devices are deleted, and a USB device that holds no other disk
 * than these is removed from its port. The disks are not seen any more until they are plugged in anew. Nothing may use
 * them. -EOPNOTSUPP: not one of them can be deleted (loop); other errors from sysfs.
 */
int td_drives_power_off(const struct td_blockdev *const *disks, size_t count, struct td_error *err);

/* --- pure, or on a sysfs of the caller's ------------------------------------------------------------------ */

enum td_power_command {
    TD_POWER_SYNC,
    TD_POWER_STOP,
    TD_POWER_START,
    TD_POWER_READY,
    TD_POWER_ATA_STANDBY_16,
    TD_POWER_ATA_STANDBY_12,
    TD_POWER_COMMANDS
};
#define TD_CDB_MAX 16
/* The command's bytes; returns how many: 6, 10, 12 or 16. */
size_t td_power_cdb(enum td_power_command command, uint8_t out[TD_CDB_MAX]);

/* What sense data say (SPC-4 4.5; fixed and descriptor format). */
enum td_sense {
    TD_SENSE_NONE,    /* all is well: no sense, recovered error; also ATA status returned without a failure */
    TD_SENSE_UNKNOWN, /* illegal request: the command is not known */
    TD_SENSE_STOPPED, /* not ready, initializing command required: it wants to be started */
    TD_SENSE_GONE,    /* medium not present, target failure: nobody is there */
    TD_SENSE_FAILED   /* everything else */
};
enum td_sense td_sense_parse(const uint8_t *sense, size_t len);

/* The USB device above a block device's directory in sysfs (resolved path): the nearest directory above it, below
 * `sysfs`, that has the files idVendor and remove. Into out[size]; false: it is not on USB. */
bool td_power_usb_device(const char *sysfs, const char *block, char *out, size_t size);
/* How many whole disks below `sysfs`/block lie in this directory of sysfs. */
int td_power_count_disks(const char *sysfs, const char *device);

#endif
