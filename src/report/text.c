#include "twindock/report/text.h"

#include "twindock/base/clock.h"
#include "twindock/base/escape.h"

#include <inttypes.h>
#include <signal.h>
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

void td_text_size(struct td_buf *out, uint64_t bytes) {
    char size[TD_SIZE_MAX];
    td_format_size(size, bytes);
    td_buf_puts(out, size);
    if (bytes < 1024)
        td_buf_puts(out, bytes == 1 ? " byte" : " bytes");
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

static bool plain_in_shell(const char *word) {
    return *word != '\0' &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%") == strlen(word);
}

void td_text_shell(struct td_buf *out, const char *word) {
    if (plain_in_shell(word)) {
        td_buf_puts(out, word);
        return;
    }
    td_buf_puts(out, "$'");
    for (; *word != '\0'; word++) {
        unsigned char c = (unsigned char)*word;
        if (c == '\'' || c == '\\')
            td_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            td_buf_printf(out, "\\%03o", c); /* always three digits, so that a digit behind it stays one */
        else
            td_buf_putc(out, (char)c);
    }
    td_buf_putc(out, '\'');
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

/* Stands for a blank that is no place to break a line. Nothing escaped has such a byte. */
#define GLUE '\001'
#define COMMAND_MAX 60 /* a lone backquote in somebody's file name glues nothing */

void td_text_glue(struct td_buf *text, const char *part) {
    size_t len = strlen(part);
    if (len == 0 || text->len == 0 || strchr(part, ' ') == NULL)
        return;
    for (char *at = text->data; (at = strstr(at, part)) != NULL; at += len)
        for (size_t i = 0; i < len; i++)
            if (at[i] == ' ')
                at[i] = GLUE;
}

/* The length of the word at the beginning of the text: up to a blank outside backquotes. */
static size_t word_length(const char *text) {
    size_t len = 0;
    while (text[len] != '\0' && text[len] != ' ') {
        size_t quoted = text[len] == '`' ? strcspn(text + len + 1, "`") : COMMAND_MAX;
        len += quoted < COMMAND_MAX && text[len + 1 + quoted] == '`' ? quoted + 2 : 1;
    }
    return len;
}

static void add_word(struct td_buf *out, const char *word, size_t len) {
    for (size_t i = 0; i < len; i++)
        td_buf_putc(out, word[i] == GLUE ? ' ' : word[i]);
}

void td_text_wrap(struct td_buf *out, const char *text, size_t width, const char *indent) {
    size_t column = 0;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t len = word_length(text);
        size_t columns = columns_of(text, len);
        if (column > 0 && column + 1 + columns > width) {
            td_buf_printf(out, "\n%s", indent);
            column = strlen(indent);
        } else if (column > 0) {
            td_buf_putc(out, ' ');
            column++;
        }
        add_word(out, text, len);
        column += columns;
        text += len;
    }
    if (column > 0)
        td_buf_putc(out, '\n');
}

void td_text_signal(struct td_buf *out, int number) {
    switch (number) {
    case SIGINT:
        td_buf_puts(out, "Ctrl-C");
        break;
    case SIGTERM:
        td_buf_puts(out, "told to end");
        break;
    case SIGHUP:
        td_buf_puts(out, "the terminal went away");
        break;
    default:
        td_buf_printf(out, "signal %d", number);
    }
}

const char *td_text_iso(char *out, int64_t seconds) {
    time_t when = (time_t)seconds;
    struct tm utc;
    if (seconds == 0 || gmtime_r(&when, &utc) == NULL || strftime(out, TD_ISO_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return NULL;
    return out;
}
