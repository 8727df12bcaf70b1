#include "twindock/model/identity.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [TD_IDENTITY_NONE] = "card", [TD_IDENTITY_ATA] = "ata",       [TD_IDENTITY_NVME] = "nvme",
    [TD_IDENTITY_SCSI] = "scsi", [TD_IDENTITY_BRIDGE] = "bridge", [TD_IDENTITY_SYSFS] = "sysfs",
    [TD_IDENTITY_UDEV] = "udev",
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

struct plain {
    char text[72];
    size_t len;
};

/* Without blanks, in capitals; with `lead` a blank before it, with `swap` the two characters of each word exchanged. */
static void make_plain(struct plain *out, const char *serial, bool lead, bool swap) {
    char field[68];
    size_t len = 0, rest = strlen(serial);
    if (lead)
        field[len++] = ' ';
    for (size_t i = 0; i < rest && len < sizeof(field) - 1; i++)
        field[len++] = serial[i];
    if (len % 2 != 0)
        field[len++] = ' ';
    out->len = 0;
    for (size_t i = 0; i < len; i++) {
        char c = field[swap ? i ^ 1U : i];
        if (c != ' ')
            out->text[out->len++] = (char)toupper((unsigned char)c);
    }
    out->text[out->len] = '\0';
}

static const char *without_prefix(const char *plain) {
    return strncmp(plain, "WD-", 3) == 0 ? plain + 3 : plain;
}

bool td_identity_serial_passed_on(const char *a, const char *b) {
    enum { LEAST = 6 };
    struct plain one, other;
    make_plain(&one, a, false, false);
    make_plain(&other, b, false, false);
    if (one.len < LEAST || other.len < LEAST)
        return strcmp(a, b) == 0;
    if (strcmp(without_prefix(one.text), without_prefix(other.text)) == 0)
        return true;
    for (int lead = 0; lead < 2; lead++) {
        make_plain(&other, b, lead != 0, true);
        if (strcmp(one.text, other.text) == 0)
            return true;
    }
    return false;
}
