#include "twindock/model/identity.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [TD_IDENTITY_NONE] = "card",   [TD_IDENTITY_ATA] = "ata",   [TD_IDENTITY_SCSI] = "scsi",
    [TD_IDENTITY_SYSFS] = "sysfs", [TD_IDENTITY_UDEV] = "udev",
};
#define COUNT (sizeof(names) / sizeof(names[0]))

const char *td_identity_source_name(enum td_identity_source source) {
    return (size_t)source < COUNT ? names[source] : names[TD_IDENTITY_NONE];
}

enum td_identity_source td_identity_source_from(const char *name) {
    for (size_t i = 0; name && i < COUNT; i++) {
        if (strcmp(names[i], name) == 0)
            return (enum td_identity_source)i;
    }
    return TD_IDENTITY_NONE;
}
