/*
 * Who a drive is, from the drive itself. Asked in this order, the first that answers sensibly wins: ATA IDENTIFY DEVICE
 * through SG_IO (ATA PASS-THROUGH 16, then 12; SAT-3), SCSI INQUIRY VPD pages 0x80 and 0x83 (SPC-4), sysfs, udev.
 * USB bridges often report a serial of their own, perhaps one for both bays: how far an answer can be trusted is its
 * `source`. The VPD pages of a disk behind USB or FireWire are TD_IDENTITY_BRIDGE.
 */
#ifndef TWINDOCK_PLATFORM_DRIVE_H
#define TWINDOCK_PLATFORM_DRIVE_H

#include "twindock/base/error.h"
#include "twindock/model/identity.h"
#include "twindock/platform/blockdev.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ask the drive behind a whole disk. A drive that says nothing (a loop device) gives TD_IDENTITY_NONE and 0; its model
 * may be known all the same. Takes up to 10 s per question when a drive does not answer. -ENXIO: it is gone. */
int td_drive_identify(const struct td_blockdev *disk, struct td_identity *out, struct td_error *err);

/* Ask the same witness once more. False when it says something else now: nobody's word, so `identity` says nothing any
 * more (its model stays). True also when there was nothing to confirm. */
bool td_drive_confirm(const struct td_blockdev *disk, struct td_identity *identity);

/* Parsers over raw replies, pure. 0, or -EINVAL when the reply says nothing usable (all zeros, all blanks, all
 * 0xFF, a bad length, a well-known placeholder such as "123456789012" or "0000000000"). Text is trimmed and runs of
 * blanks are folded; ATA strings have their bytes swapped back. WWNs are "0x" and lower-case hex digits. */
int td_drive_parse_ata(const uint8_t *reply, size_t len, struct td_identity *out);   /* 512 bytes of IDENTIFY DEVICE */
int td_drive_parse_vpd80(const uint8_t *reply, size_t len, struct td_identity *out); /* unit serial number page */
int td_drive_parse_vpd83(const uint8_t *reply, size_t len, struct td_identity *out); /* device identification page */

/* The same for text from sysfs and udev, up to a newline; `source` is left to the caller. A serial as it is, and a
 * name as "naa.", "eui." or "0x" with 16 or 32 hex digits (others, "t10.", "nvme.", are no numbers: -EINVAL). */
int td_drive_parse_serial(const char *text, struct td_identity *out);
int td_drive_parse_wwid(const char *text, struct td_identity *out);

/* Is there a bridge between the computer and the drive? By the path of the disk in sysfs, "../../devices/pci0000:00/
 * .../usb1/1-1/1-1:1.0/host2/...": below a USB or a FireWire bus ("fw0"). */
bool td_drive_path_is_bridged(const char *syspath);

#endif
