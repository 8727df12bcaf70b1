#include "twindock/base/escape.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* Decode one character of at most `len` bytes (RFC 3629, section 4): its length, 0 when it is not UTF-8. */
static size_t decode(const uint8_t *s, size_t len, uint32_t *out) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 0)
        return 0;
    if (s[0] < 0x80) {
        *out = s[0];
        return 1;
    }
    size_t need = s[0] >= 0xf0 && s[0] < 0xf8   ? 4
                  : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                  : s[0] >= 0xc0 && s[0] < 0xe0 ? 2
                                                : 0;
    if (need == 0 || need > len)
        return 0;
    uint32_t c = s[0] & (0x7fU >> need);
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fU);
    }
    if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return need;
}

bool td_utf8_valid(const void *data, size_t len) {
    const uint8_t *s = data;
    while (len) {
        uint32_t c;
        size_t n = decode(s, len, &c);
        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

/* Characters that a terminal acts on, or that reorder or break a line. */
static bool is_harmful(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void add_hex(struct td_buf *out, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        const char text[] = {'\\', 'x', hex_digits[data[i] >> 4], hex_digits[data[i] & 15]};
        td_buf_add(out, text, sizeof(text));
    }
}

void td_escape(struct td_buf *out, const void *data, size_t len) {
    const uint8_t *s = data;
    while (len) {
        uint32_t c = 0;
        size_t n = decode(s, len, &c);
        if (n == 0) {
            n = 1;
            add_hex(out, s, n);
        } else if (is_harmful(c)) {
            add_hex(out, s, n);
        } else {
            if (c == '\\')
                td_buf_putc(out, '\\');
            td_buf_add(out, s, n);
        }
        s += n;
        len -= n;
    }
}

void td_escape_text(struct td_buf *out, const char *text) {
    td_escape(out, text, strlen(text));
}

bool td_escape_json(struct td_buf *out, const void *data, size_t len) {
    const uint8_t *s = data;
    bool changed = false;
    while (len) {
        uint32_t c;
        size_t n = decode(s, len, &c);
        if (n) {
            td_buf_add(out, s, n);
        } else {
            n = 1;
            add_hex(out, s, n);
            changed = true;
        }
        s += n;
        len -= n;
    }
    return changed;
}

void td_base64(struct td_buf *out, const void *data, size_t len) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *s = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (left > 2 ? s[i + 2] : 0U);
        const char text[] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                             left > 1 ? alphabet[group >> 6 & 63] : '=', left > 2 ? alphabet[group & 63] : '='};
        td_buf_add(out, text, sizeof(text));
    }
}

void td_hex(char *out, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        *out++ = hex_digits[data[i] >> 4];
        *out++ = hex_digits[data[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool td_unhex(uint8_t *out, size_t len, const char *text) {
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0';
}
