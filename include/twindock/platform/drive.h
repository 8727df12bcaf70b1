/*
 * Who a drive is, from the drive itself. Asked in this order, the first that answers sensibly wins: ATA IDENTIFY DEVICE
 * through SG_IO (ATA PASS-THROUGH 16, then 12; SAT-3), SCSI INQUIRY VPD pages 0x80 and 0x83 (SPC-4), sysfs, udev.
 * USB bridges often report a serial of their own for both bays: how far an answer can be trusted is its `rests`.
 */
#ifndef TWINDOCK_PLATFORM_DRIVE_H
#define TWINDOCK_PLATFORM_DRIVE_H

#include "twindock/base/error.h"
#include "twindock/model/identity.h"
#include "twindock/platform/blockdev.h"

#include <stddef.h>
#include <stdint.h>

/* Ask the drive behind a whole disk. A drive that says nothing (a loop device) gives TD_IDENTITY_NONE and 0. */
int td_drive_identify(const struct td_blockdev *disk, struct td_identity *out, struct td_error *err);

/* Parsers over raw replies, pure. 0, or -EINVAL when the reply says nothing usable (all zeros, all blanks, all
 * 0xFF, a bad length, a well-known placeholder such as "123456789012" or "0000000000"). Text is trimmed and runs of
 * blanks are folded; ATA strings have their bytes swapped back. WWNs are "0x" and lower-case hex digits. */
int td_drive_parse_ata(const uint8_t *reply, size_t len, struct td_identity *out);   /* 512 bytes of IDENTIFY DEVICE */
int td_drive_parse_vpd80(const uint8_t *reply, size_t len, struct td_identity *out); /* unit serial number page */
int td_drive_parse_vpd83(const uint8_t *reply, size_t len, struct td_identity *out); /* device identification page */

#endif
