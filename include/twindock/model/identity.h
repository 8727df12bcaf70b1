/* Who a drive says it is, and on what that rests. */
#ifndef TWINDOCK_MODEL_IDENTITY_H
#define TWINDOCK_MODEL_IDENTITY_H

#include <stdbool.h>

enum td_identity_source {
    TD_IDENTITY_NONE,   /* the drive says nothing: its card alone decides */
    TD_IDENTITY_ATA,    /* IDENTIFY DEVICE: the drive itself */
    TD_IDENTITY_NVME,   /* what the kernel read from an NVMe controller: the drive itself */
    TD_IDENTITY_SCSI,   /* VPD 0x80/0x83: the drive itself */
    TD_IDENTITY_BRIDGE, /* the same, through USB or FireWire: what the drive is called, or a bridge's own invention */
    TD_IDENTITY_SYSFS,  /* what the kernel was told */
    TD_IDENTITY_UDEV    /* what udev was told; behind USB the bridge's */
};

struct td_identity {
    enum td_identity_source source;
    char serial[64]; /* trimmed; "" if unknown */
    char wwn[64];    /* "0x5000c500a1b2c3d4"; "" if unknown */
    char model[64];  /* for sentences only, never compared */
};

/* "card", "ata", "nvme", "scsi", "bridge", "sysfs", "udev": what `check` prints. */
const char *td_identity_source_name(enum td_identity_source source);
/* Back from the name; TD_IDENTITY_NONE for anything unknown. */
enum td_identity_source td_identity_source_from(const char *name);

/* One serial as a drive says it and as a bridge passes it on: blanks, capitals and the prefix "WD-" aside, and perhaps
 * with the bytes of each word still in the order of ATA. Not for serials of fewer than 6 characters. */
bool td_identity_serial_passed_on(const char *a, const char *b);

#endif
