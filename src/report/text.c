#include "twindock/report/text.h"

#include "twindock/base/escape.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void td_text_prose(struct td_buf *out, const char *text) {
    if (text == NULL)
        return;
    /* A backslash byte is never part of a longer UTF-8 sequence, so cutting there breaks none. */
    for (;;) {
        size_t plain = strcspn(text, "\\");
        td_escape(out, text, plain);
        if (text[plain] == '\0')
            return;
        td_buf_putc(out, '\\');
        text += plain + 1;
    }
}

void td_text_next(struct td_buf *out) {
    if (out->len == 0)
        return;
    td_buf_puts(out, out->data[out->len - 1] == '.' ? " " : ". ");
}

void td_text_count(struct td_buf *out, uint64_t n, const char *one, const char *many) {
    td_buf_printf(out, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void td_text_path(struct td_buf *out, const char *collection, const char *path) {
    if (*collection == '\0') {
        td_escape_text(out, *path != '\0' ? path : ".");
        return;
    }
    td_escape_text(out, collection);
    if (*path != '\0') {
        td_buf_putc(out, '/');
        td_escape_text(out, path);
    }
}

static bool begins_with_name(const char *text, const char *name) {
    size_t len = strlen(name);
    return strncmp(text, name, len) == 0 && (text[len] == '\0' || text[len] == '.' || text[len] == ':');
}

void td_text_refusal(struct td_buf *out, enum td_verdict verdict, const char *advice) {
    const char *name = td_verdict_name(verdict);
    if (advice == NULL || *advice == '\0') {
        td_buf_printf(out, "%s: %s", name, td_verdict_table[verdict].meaning);
        return;
    }
    if (!begins_with_name(advice, name))
        td_buf_printf(out, "%s. ", name);
    td_text_prose(out, advice);
}

static bool continues_character(char c) {
    return ((unsigned char)c & 0xc0U) == 0x80U;
}

size_t td_text_fit(const char *text, size_t len, size_t columns) {
    size_t seen = 0;
    for (size_t i = 0; i < len; i++) {
        if (continues_character(text[i]))
            continue;
        if (seen == columns)
            return i;
        seen++;
    }
    return len;
}

static size_t columns_of(const char *text, size_t len) {
    size_t columns = 0;
    for (size_t i = 0; i < len; i++)
        columns += !continues_character(text[i]);
    return columns;
}

void td_text_wrap(struct td_buf *out, const char *text, size_t width, const char *indent) {
    size_t column = 0;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t len = strcspn(text, " ");
        size_t columns = columns_of(text, len);
        if (column > 0 && column + 1 + columns > width) {
            td_buf_printf(out, "\n%s", indent);
            column = strlen(indent);
        } else if (column > 0) {
            td_buf_putc(out, ' ');
            column++;
        }
        td_buf_add(out, text, len);
        column += columns;
        text += len;
    }
    if (column > 0)
        td_buf_putc(out, '\n');
}

const char *td_text_iso(char *out, int64_t seconds) {
    time_t when = (time_t)seconds;
    struct tm utc;
    if (seconds == 0 || gmtime_r(&when, &utc) == NULL || strftime(out, TD_ISO_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return NULL;
    return out;
}
