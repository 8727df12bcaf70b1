/* Asking a drive who it is, from the most trustworthy witness to the least. */
#include "twindock/platform/drive.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/udev.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define ATA_LEN 512
#define VPD_LEN 252 /* what fits in one byte: old bridges look at that byte alone */
#define SYSFS_MAX 4096

/* ATA PASS-THROUGH, SAT-3 12.2: PIO data-in (4 << 1); flags: the length is in the sector count, in blocks, from the
 * device, and no ATA registers back (CK_COND=0), which is what bridges can do. */
#define ATA_PIO_IN (4 << 1)
#define ATA_FLAGS 0x0e
#define ATA_IDENTIFY 0xec

/* Send a command that reads `len` bytes. The count of bytes that came, or -errno; EIO: the drive said no. */
static ssize_t send_command(int fd, uint8_t *cdb, uint8_t cdb_len, uint8_t *reply, unsigned len) {
    uint8_t sense[64] = {0};
    memset(reply, 0, len);
    sg_io_hdr_t io = {
        .interface_id = 'S',
        .dxfer_direction = SG_DXFER_FROM_DEV,
        .cmd_len = cdb_len,
        .mx_sb_len = sizeof sense,
        .dxfer_len = len,
        .dxferp = reply,
        .cmdp = cdb,
        .sbp = sense,
        .timeout = TIMEOUT_MS,
    };
    if (td_sys.ioctl(fd, SG_IO, &io) < 0)
        return -errno;
    const unsigned sense_there = 0x08; /* DRIVER_SENSE: no failure in itself */
    if (io.status != 0 || io.host_status != 0 || (io.driver_status & 0x0fu & ~sense_there) != 0)
        return -EIO;
    return io.resid > 0 && (unsigned)io.resid <= len ? (ssize_t)len - io.resid : (ssize_t)len;
}

static bool ask_ata(int fd, struct td_identity *out) {
    uint8_t long_form[16] = {[0] = 0x85, [1] = ATA_PIO_IN, [2] = ATA_FLAGS, [6] = 1, [14] = ATA_IDENTIFY};
    uint8_t short_form[12] = {[0] = 0xa1, [1] = ATA_PIO_IN, [2] = ATA_FLAGS, [4] = 1, [9] = ATA_IDENTIFY};
    uint8_t reply[ATA_LEN];
    ssize_t got = send_command(fd, long_form, sizeof long_form, reply, sizeof reply);
    if (got > 0 && td_drive_parse_ata(reply, (size_t)got, out) == 0)
        return true;
    got = send_command(fd, short_form, sizeof short_form, reply, sizeof reply);
    return got > 0 && td_drive_parse_ata(reply, (size_t)got, out) == 0;
}

static ssize_t ask_vpd(int fd, uint8_t page, uint8_t reply[VPD_LEN]) {
    uint8_t inquiry[6] = {[0] = 0x12, [1] = 1, [2] = page, [4] = VPD_LEN};
    return send_command(fd, inquiry, sizeof inquiry, reply, VPD_LEN);
}

/* Serial from one page, WWN from the other; either alone will do. */
static bool join(struct td_identity *out, bool has_serial, const struct td_identity *serial, bool has_wwn,
                 const struct td_identity *wwn, enum td_identity_source source) {
    if (!has_serial && !has_wwn)
        return false;
    *out = (struct td_identity){.source = source};
    if (has_serial)
        memcpy(out->serial, serial->serial, sizeof out->serial);
    if (has_wwn)
        memcpy(out->wwn, wwn->wwn, sizeof out->wwn);
    return true;
}

static void disk_path(const struct td_blockdev *disk, char out[64]) {
    snprintf(out, 64, "/sys/dev/block/%u:%u", major(disk->disk_number), minor(disk->disk_number));
}

/* Where it cannot be told, it is taken for one that a bridge speaks for. */
static bool is_bridged(const struct td_blockdev *disk) {
    char path[64], target[1024];
    disk_path(disk, path);
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len < 0)
        return true;
    target[len] = '\0';
    return td_drive_path_is_bridged(target);
}

static bool ask_scsi(const struct td_blockdev *disk, int fd, struct td_identity *out) {
    uint8_t reply[VPD_LEN];
    struct td_identity serial, wwn;
    ssize_t got = ask_vpd(fd, 0x80, reply);
    bool has_serial = got > 0 && td_drive_parse_vpd80(reply, (size_t)got, &serial) == 0;
    got = ask_vpd(fd, 0x83, reply);
    bool has_wwn = got > 0 && td_drive_parse_vpd83(reply, (size_t)got, &wwn) == 0;
    return join(out, has_serial, &serial, has_wwn, &wwn, is_bridged(disk) ? TD_IDENTITY_BRIDGE : TD_IDENTITY_SCSI);
}

/* Symlinks such as `device` are followed: sysfs is the kernel's. */
static bool read_attribute(int sysfs, const char *directory, const char *name, struct td_buf *out) {
    TD_AUTOCLOSE int dir = openat(sysfs, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 && td_read_small(dir, name, SYSFS_MAX, out, NULL) == 0 && out->len > 0;
}

static bool sysfs_serial(int sysfs, struct td_identity *out) {
    TD_AUTOBUF struct td_buf text = {0};
    if (read_attribute(sysfs, "device", "vpd_pg80", &text) &&
        td_drive_parse_vpd80((const uint8_t *)text.data, text.len, out) == 0)
        return true;
    if (read_attribute(sysfs, "device", "serial", &text) && td_drive_parse_serial(text.data, out) == 0) /* NVMe */
        return true;
    return read_attribute(sysfs, ".", "serial", &text) && td_drive_parse_serial(text.data, out) == 0; /* virtio */
}

static bool sysfs_wwn(int sysfs, struct td_identity *out) {
    TD_AUTOBUF struct td_buf text = {0};
    if (read_attribute(sysfs, "device", "vpd_pg83", &text) &&
        td_drive_parse_vpd83((const uint8_t *)text.data, text.len, out) == 0)
        return true;
    if (read_attribute(sysfs, "device", "wwid", &text) && td_drive_parse_wwid(text.data, out) == 0)
        return true;
    return read_attribute(sysfs, ".", "wwid", &text) && td_drive_parse_wwid(text.data, out) == 0; /* NVMe */
}

/* Of class "nvme", or "nvme-subsystem" where a drive may have several ways to it. */
static bool is_nvme(int sysfs) {
    char target[256];
    ssize_t len = readlinkat(sysfs, "device/subsystem", target, sizeof target - 1);
    if (len < 0)
        return false;
    target[len] = '\0';
    const char *name = strrchr(target, '/');
    return name != NULL && strncmp(name, "/nvme", 5) == 0;
}

static bool ask_sysfs(int sysfs, struct td_identity *out) {
    struct td_identity serial, wwn;
    bool has_serial = sysfs_serial(sysfs, &serial);
    bool has_wwn = sysfs_wwn(sysfs, &wwn);
    return join(out, has_serial, &serial, has_wwn, &wwn, is_nvme(sysfs) ? TD_IDENTITY_NVME : TD_IDENTITY_SYSFS);
}

static bool ask_udev(dev_t number, struct td_identity *out) {
    struct td_udev_properties properties;
    struct td_identity serial, wwn;
    if (td_udev_properties(number, &properties, NULL) < 0)
        return false;
    bool has_serial = td_drive_parse_serial(properties.serial, &serial) == 0;
    bool has_wwn = td_drive_parse_wwid(properties.wwn, &wwn) == 0;
    return join(out, has_serial, &serial, has_wwn, &wwn, TD_IDENTITY_UDEV);
}

/* ATA says it with the serial; for all others the kernel read it. Only for sentences, so a cut one will do. */
static void add_model(int sysfs, struct td_identity *out) {
    TD_AUTOBUF struct td_buf text = {0};
    if (out->model[0] || !read_attribute(sysfs, "device", "model", &text))
        return;
    size_t len = strcspn(text.data, "\n");
    while (len > 0 && text.data[len - 1] == ' ')
        len--;
    snprintf(out->model, sizeof out->model, "%.*s", (int)len, text.data);
}

static int open_sysfs(const struct td_blockdev *disk) {
    char path[64];
    disk_path(disk, path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int td_drive_identify(const struct td_blockdev *disk, struct td_identity *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    TD_AUTOCLOSE int sysfs = open_sysfs(disk);
    if (sysfs < 0)
        return td_fail(err, sysfs == -ENOENT ? ENXIO : -sysfs, "cannot look up %s", disk->node);
    TD_AUTOCLOSE int fd = open(disk->node, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno != ENOMEDIUM)
        return td_fail(err, errno, "cannot open %s", disk->node);
    /* What has no SG_IO (NVMe, loop, virtio) or no permission for it says so at once, and the next one is asked. */
    bool known = fd >= 0 && (ask_ata(fd, out) || ask_scsi(disk, fd, out));
    known = known || ask_sysfs(sysfs, out) || ask_udev(disk->disk_number, out);
    if (!known)
        memset(out, 0, sizeof *out);
    add_model(sysfs, out);
    return 0;
}

static bool ask_again(const struct td_blockdev *disk, enum td_identity_source source, struct td_identity *out) {
    TD_AUTOCLOSE int fd = open(disk->node, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    TD_AUTOCLOSE int sysfs = open_sysfs(disk);
    switch (source) {
    case TD_IDENTITY_ATA:
        return fd >= 0 && ask_ata(fd, out);
    case TD_IDENTITY_SCSI:
    case TD_IDENTITY_BRIDGE:
        return fd >= 0 && ask_scsi(disk, fd, out);
    case TD_IDENTITY_NVME:
    case TD_IDENTITY_SYSFS:
        return sysfs >= 0 && ask_sysfs(sysfs, out);
    case TD_IDENTITY_UDEV:
        return ask_udev(disk->disk_number, out);
    case TD_IDENTITY_NONE:
        break;
    }
    return false;
}

bool td_drive_confirm(const struct td_blockdev *disk, struct td_identity *identity) {
    struct td_identity again = {0};
    if (identity->source == TD_IDENTITY_NONE)
        return true;
    if (ask_again(disk, identity->source, &again) && strcmp(again.serial, identity->serial) == 0 &&
        strcmp(again.wwn, identity->wwn) == 0)
        return true;
    identity->source = TD_IDENTITY_NONE;
    identity->serial[0] = identity->wwn[0] = '\0';
    return false;
}
