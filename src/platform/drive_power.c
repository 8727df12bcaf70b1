#include "twindock/platform/drive_power.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TIMEOUT_MS 30000 /* a motor may take half of that to stop or to start */

static int open_disk(const struct td_blockdev *disk, struct td_error *err) {
    /* Read-only: closing a descriptor that could write would make udevd probe the disk, and so start it again. */
    int fd = open(disk->node, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? td_fail(err, errno, "cannot open %s", disk->node) : fd;
}

/* Send a command without data. 0, or a negative errno: -ENOTTY nobody here speaks SCSI, -EPERM not allowed to, -ENODEV
 * gone, else `sense` says what the drive has answered. */
static int send_once(int fd, enum td_power_command command, enum td_sense *sense) {
    uint8_t cdb[TD_CDB_MAX], answer[64] = {0};
    size_t length = td_power_cdb(command, cdb);
    sg_io_hdr_t io = {
        .interface_id = 'S',
        .dxfer_direction = SG_DXFER_NONE,
        .cmd_len = (unsigned char)length,
        .mx_sb_len = sizeof answer,
        .cmdp = cdb,
        .sbp = answer,
        .timeout = TIMEOUT_MS,
    };
    *sense = TD_SENSE_NONE;
    if (ioctl(fd, SG_IO, &io) < 0)
        return errno == EINVAL ? -ENOTTY : -errno;
    if (io.host_status != 0)
        return io.host_status == 1 || io.host_status == 4 ? -ENODEV : -EIO; /* DID_NO_CONNECT, DID_BAD_TARGET */
    if (io.sb_len_wr > 0)
        *sense = td_sense_parse(answer, io.sb_len_wr);
    else if (io.status != 0)
        *sense = TD_SENSE_FAILED;
    return 0;
}

/* A unit attention (somebody reset the bus) takes the place of an answer once: ask again. */
static int send_command(int fd, enum td_power_command command, enum td_sense *sense) {
    int rc = 0;
    for (int i = 0; i < 2; i++) {
        rc = send_once(fd, command, sense);
        if (rc != 0 || *sense != TD_SENSE_FAILED)
            break;
    }
    return rc;
}

static bool speaks_no_scsi(int rc) {
    return rc == -ENOTTY || rc == -EOPNOTSUPP || rc == -ENOSYS;
}

int td_drive_flush(const struct td_blockdev *disk, struct td_error *err) {
    TD_AUTOCLOSE int fd = open_disk(disk, err);
    enum td_sense sense;
    if (fd < 0)
        return fd;
    if (td_sys.fsync(fd) != 0)
        return td_fail(err, errno, "cannot flush the cache of %s", disk->node);
    /* The kernel flushes the drive's own cache only where the drive, or its bridge, has said that it has one. */
    int rc = send_command(fd, TD_POWER_SYNC, &sense);
    if (speaks_no_scsi(rc) || rc == -EPERM || (rc == 0 && (sense == TD_SENSE_NONE || sense == TD_SENSE_UNKNOWN)))
        return 0;
    if (rc == 0)
        rc = sense == TD_SENSE_GONE ? -ENODEV : -EIO;
    return td_fail(err, -rc, "cannot flush the cache of the drive %s", disk->node);
}

int td_drive_standby(const struct td_blockdev *disk, struct td_error *err) {
    static const enum td_power_command ways[] = {TD_POWER_STOP, TD_POWER_ATA_STANDBY_16, TD_POWER_ATA_STANDBY_12};
    TD_AUTOCLOSE int fd = open_disk(disk, err);
    int rc = fd < 0 ? fd : -EIO;
    for (size_t i = 0; fd >= 0 && i < sizeof ways / sizeof *ways; i++) {
        enum td_sense sense;
        rc = send_command(fd, ways[i], &sense);
        if (rc == 0 && sense == TD_SENSE_NONE)
            return 0;
        if (speaks_no_scsi(rc))
            return -EOPNOTSUPP;
        if (rc == 0)
            rc = sense == TD_SENSE_GONE ? -ENODEV : -EIO;
        if (rc == -ENODEV || rc == -EPERM)
            break;
    }
    return fd < 0 ? rc : td_fail(err, -rc, "the drive %s does not go into standby", disk->node);
}

void td_drive_wake(const struct td_blockdev *disk) {
    TD_AUTOCLOSE int fd = open_disk(disk, NULL);
    enum td_sense sense;
    if (fd >= 0 && send_command(fd, TD_POWER_READY, &sense) == 0 && sense == TD_SENSE_STOPPED)
        send_command(fd, TD_POWER_START, &sense);
}
