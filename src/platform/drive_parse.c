/* What drives answer, byte by byte. Pure; every length is the reply's own claim and is not believed. */
#include "twindock/platform/drive.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define ATA_REPLY 512

static bool printable(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (data[i] < 0x20 || data[i] > 0x7e)
            return false;
    return true;
}

/* Trim and fold blanks. NULs at the end count as padding; other bytes that are not printable ASCII, or a text that does
 * not fit, make it no text at all: a name cut short could pass for another drive's. */
static bool take_text(char *out, size_t size, const uint8_t *data, size_t len) {
    out[0] = '\0';
    while (len > 0 && data[len - 1] == '\0')
        len--;
    if (!printable(data, len))
        return false;
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] == ' ' && (used == 0 || out[used - 1] == ' '))
            continue;
        if (used + 1 >= size) {
            out[0] = '\0';
            return false;
        }
        out[used++] = (char)data[i];
    }
    if (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return used > 0;
}

/* Each of these comes from a bridge or an unprogrammed drive, and from thousands of them. Capitals do not count. */
static const char *const placeholders[] = {
    "None",         "Serial", "SerialNumber", "Serial Number", "To be filled by O.E.M.", "N/A", "unknown", "default",
    "123456789012", "USB",    "Mass Storage", "DEADBEEF",      "ABCDEFGHIJKLMNOPQRST",
};

/* One character over and over, blanks and dashes aside, perhaps with another one at the end ("000000000001": a
 * bridge's count of its bays, for no drive is the first of a series of a thousand millions). */
static bool is_monotonous(const char *serial) {
    enum { COUNTED = 8 };
    char first = '\0';
    size_t seen = 0, others = 0;
    bool last_differs = false;
    for (const char *at = serial; *at; at++) {
        if (*at == ' ' || *at == '-')
            continue;
        first = first ? first : *at;
        last_differs = *at != first;
        others += last_differs;
        seen++;
    }
    if (others == 0)
        return seen != 1 || strlen(serial) > 1 || !isalnum((unsigned char)first) || first == '0';
    return others == 1 && last_differs && first == '0' && seen >= COUNTED;
}

/* Digits in their order, as somebody types them who has nothing to say: "123456789012", "0123456789ABCDEF". */
static bool is_counting(const char *serial) {
    enum { LEAST = 6 };
    static const char *const orders[] = {"01234567890123456789", "0123456789ABCDEF0123456789ABCDEF",
                                         "1234567890ABCDEF1234567890", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"};
    char upper[64];
    size_t len = strlen(serial);
    if (len < LEAST || len >= sizeof upper)
        return false;
    for (size_t i = 0; i <= len; i++)
        upper[i] = (char)toupper((unsigned char)serial[i]);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strstr(orders[i], upper) != NULL)
            return true;
    return false;
}

static bool placeholder(const char *serial) {
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
        if (strcasecmp(serial, placeholders[i]) == 0)
            return true;
    return is_monotonous(serial) || is_counting(serial);
}

static bool take_serial(struct td_identity *out, const uint8_t *data, size_t len) {
    if (take_text(out->serial, sizeof out->serial, data, len) && !placeholder(out->serial))
        return true;
    out->serial[0] = '\0';
    return false;
}

/* A name of 8 or 16 bytes as "0x...". Nothing but zeros between the leading nibble and the last byte, or all ones, is
 * no name. */
static bool take_wwn(struct td_identity *out, const uint8_t *name, size_t len) {
    static const char digits[] = "0123456789abcdef";
    bool zeros = (name[0] & 0x0f) == 0, ones = (name[0] & 0x0f) == 0x0f;
    for (size_t i = 1; i < len; i++) {
        zeros = zeros && (name[i] == 0 || i == len - 1);
        ones = ones && name[i] == 0xff;
    }
    if (zeros || ones || 2 * len + 3 > sizeof out->wwn)
        return false;
    char *at = out->wwn;
    *at++ = '0';
    *at++ = 'x';
    for (size_t i = 0; i < len; i++) {
        *at++ = digits[name[i] >> 4];
        *at++ = digits[name[i] & 15];
    }
    *at = '\0';
    return true;
}

/* An ATA string: words in little-endian order, the first character in the high byte. */
static void swap_words(uint8_t *out, const uint8_t *reply, size_t first_word, size_t words) {
    for (size_t i = 0; i < words; i++) {
        out[2 * i] = reply[2 * (first_word + i) + 1];
        out[2 * i + 1] = reply[2 * (first_word + i)];
    }
}

static unsigned ata_word(const uint8_t *reply, size_t word) {
    return (unsigned)reply[2 * word] | (unsigned)reply[2 * word + 1] << 8;
}

/* Word 255: with the signature A5h in its low byte, all 512 bytes add up to zero (ACS-3, 7.12.7.81). */
static bool ata_checksum_ok(const uint8_t *reply) {
    if ((ata_word(reply, 255) & 0xff) != 0xa5)
        return true;
    uint8_t sum = 0;
    for (size_t i = 0; i < ATA_REPLY; i++)
        sum = (uint8_t)(sum + reply[i]);
    return sum == 0;
}

int td_drive_parse_ata(const uint8_t *reply, size_t len, struct td_identity *out) {
    enum { GENERAL = 0, SERIAL = 10, MODEL = 27, SUPPORTED_87 = 87, WWN = 108 };
    memset(out, 0, sizeof *out);
    if (len < ATA_REPLY || !ata_checksum_ok(reply))
        return -EINVAL;
    unsigned general = ata_word(reply, GENERAL);
    if ((general & 0x8000) != 0 && general != 0x848a) /* not an ATA device; 848Ah is CompactFlash */
        return -EINVAL;
    uint8_t text[40];
    swap_words(text, reply, MODEL, 20);
    /* The model is there on every drive: without one this is not an answer to IDENTIFY DEVICE. */
    if (!take_text(out->model, sizeof out->model, text, 40))
        return memset(out, 0, sizeof *out), -EINVAL;
    swap_words(text, reply, SERIAL, 10);
    bool usable = take_serial(out, text, 20);
    unsigned word87 = ata_word(reply, SUPPORTED_87); /* bits 15:14 are 01 where it is valid, bit 8: has a WWN */
    if ((word87 & 0xc100) == 0x4100) {
        uint8_t name[8];
        swap_words(name, reply, WWN, 4);
        usable = take_wwn(out, name, sizeof name) || usable;
    }
    if (!usable)
        return memset(out, 0, sizeof *out), -EINVAL;
    out->source = TD_IDENTITY_ATA;
    return 0;
}

/* The payload of a VPD page, cut to what arrived. */
static const uint8_t *vpd_payload(const uint8_t *reply, size_t len, uint8_t page, size_t *size) {
    if (len < 4 || reply[1] != page || (reply[0] >> 5) == 3) /* qualifier 011b: no such logical unit */
        return NULL;
    *size = (size_t)reply[2] << 8 | reply[3];
    if (*size > len - 4)
        *size = len - 4;
    return reply + 4;
}

int td_drive_parse_vpd80(const uint8_t *reply, size_t len, struct td_identity *out) {
    memset(out, 0, sizeof *out);
    size_t size;
    const uint8_t *payload = vpd_payload(reply, len, 0x80, &size);
    /* A serial of which a part is missing is another serial. */
    if (!payload || size != ((size_t)reply[2] << 8 | reply[3]) || !take_serial(out, payload, size))
        return -EINVAL;
    out->source = TD_IDENTITY_SCSI;
    return 0;
}

/* How good a designator is as the name of the drive, 0: no name. SPC-4 7.8.6: byte 0 code set, byte 1 association (5:4)
 * and type (3:0). NAA 5 and 6 are registered; NAA 3 is assigned locally, by a bridge's whim, and names no drive. */
static int designator_rank(const uint8_t *head, const uint8_t *name, size_t len) {
    unsigned code_set = head[0] & 0x0f, association = head[1] >> 4 & 3, type = head[1] & 0x0f;
    if (code_set != 1 || association != 0)
        return 0;
    if (type == 2) /* EUI-64 */
        return len == 8 || len == 16 ? 2 : 0;
    if (type != 3 || len < 8)
        return 0;
    switch (name[0] >> 4) { /* NAA */
    case 6:
        return len == 16 ? 4 : 0;
    case 5:
        return len == 8 ? 4 : 0;
    case 2:
        return len == 8 ? 3 : 0;
    default:
        return 0;
    }
}

int td_drive_parse_vpd83(const uint8_t *reply, size_t len, struct td_identity *out) {
    memset(out, 0, sizeof *out);
    size_t size;
    const uint8_t *payload = vpd_payload(reply, len, 0x83, &size);
    if (!payload)
        return -EINVAL;
    int best = 0;
    for (size_t at = 0; size - at >= 4;) {
        const uint8_t *head = payload + at, *name = head + 4;
        size_t name_len = head[3];
        if (name_len > size - at - 4)
            break; /* damaged from here on */
        int rank = designator_rank(head, name, name_len);
        if (rank > best && take_wwn(out, name, name_len))
            best = rank;
        at += 4 + name_len;
    }
    if (!best)
        return -EINVAL;
    out->source = TD_IDENTITY_SCSI;
    return 0;
}

int td_drive_parse_serial(const char *text, struct td_identity *out) {
    memset(out, 0, sizeof *out);
    size_t len = strcspn(text, "\n");
    return take_serial(out, (const uint8_t *)text, len) ? 0 : -EINVAL;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int td_drive_parse_wwid(const char *text, struct td_identity *out) {
    static const char *const prefixes[] = {"naa.", "eui.", "0x", "0X"};
    memset(out, 0, sizeof *out);
    size_t len = strcspn(text, "\n");
    const char *digits = NULL;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && !digits; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            digits = text + strlen(prefixes[i]);
    if (!digits)
        return -EINVAL;
    len -= (size_t)(digits - text);
    uint8_t name[16];
    if (len != 16 && len != 32)
        return -EINVAL;
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        name[i] = (uint8_t)(high << 4 | low);
    }
    return take_wwn(out, name, len / 2) ? 0 : -EINVAL;
}

bool td_drive_path_is_bridged(const char *syspath) {
    static const char *const buses[] = {"/usb", "/fw"};
    for (size_t i = 0; i < sizeof buses / sizeof buses[0]; i++)
        for (const char *at = strstr(syspath, buses[i]); at != NULL; at = strstr(at + 1, buses[i]))
            if (isdigit((unsigned char)at[strlen(buses[i])]))
                return true;
    return false;
}
