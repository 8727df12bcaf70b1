#include "twindock/report/mime.h"

#include "twindock/base/escape.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "=?UTF-8?B?" and "?=" are 12 characters, base64 makes 4 of 3: 45 bytes give a word of 72, and with the blank of
 * a folded line 73 of the 76 that RFC 2047 allows. The first line carries the field's name too. */
#define WORD_BYTES 45
#define LINE_MAX_RFC2047 76
#define WORD_OVERHEAD 12

static bool printable(char c) {
    return c >= ' ' && c <= '~';
}

static bool needs_encoding(const char *value) {
    if (strstr(value, "=?") != NULL)
        return true;
    for (; *value != '\0'; value++)
        if (!printable(*value))
            return true;
    return false;
}

/* At most `max` bytes, ending between two characters: a word must hold whole ones. */
static size_t whole_characters(const char *text, size_t len, size_t max) {
    if (len <= max)
        return len;
    size_t cut = max;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0U) == 0x80U)
        cut--;
    return cut > 0 ? cut : max;
}

void td_mime_text(struct td_buf *out, const char *name, const char *value) {
    td_buf_printf(out, "%s: ", name);
    if (!needs_encoding(value)) {
        td_buf_printf(out, "%s\n", value);
        return;
    }
    size_t first = (LINE_MAX_RFC2047 - WORD_OVERHEAD - strlen(name) - 2) / 4 * 3;
    size_t left = strlen(value), max = first < WORD_BYTES ? first : WORD_BYTES;
    while (left > 0) {
        size_t len = whole_characters(value, left, max);
        td_buf_puts(out, "=?UTF-8?B?");
        td_base64(out, value, len);
        td_buf_puts(out, "?=");
        value += len;
        left -= len;
        max = WORD_BYTES;
        if (left > 0)
            td_buf_puts(out, "\n ");
    }
    td_buf_putc(out, '\n');
}

void td_mime_address(struct td_buf *out, const char *name, const char *value) {
    td_buf_printf(out, "%s: ", name);
    for (; *value != '\0'; value++)
        td_buf_putc(out, printable(*value) ? *value : '?');
    td_buf_putc(out, '\n');
}

void td_mime_date(struct td_buf *out, int64_t seconds) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t)seconds;
    struct tm tm;
    if (localtime_r(&when, &tm) == NULL)
        return; /* the mailer adds one */
    long offset = tm.tm_gmtoff / 60;
    td_buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d %c%02ld%02ld\n", days[tm.tm_wday], tm.tm_mday,
                  months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, offset < 0 ? '-' : '+',
                  labs(offset) / 60, labs(offset) % 60);
}
