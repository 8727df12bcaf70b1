#include "twindock/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for `more` bytes and the NUL. */
static void reserve(struct td_buf *buf, size_t more) {
    if (more >= SIZE_MAX / 2 - buf->len)
        abort();
    size_t needed = buf->len + more + 1;
    if (needed <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < needed)
        cap *= 2;
    char *data = realloc(buf->data, cap);
    if (!data)
        abort();
    buf->data = data;
    buf->cap = cap;
}

void td_buf_add(struct td_buf *buf, const void *data, size_t len) {
    reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void td_buf_puts(struct td_buf *buf, const char *text) {
    td_buf_add(buf, text, strlen(text));
}

void td_buf_putc(struct td_buf *buf, char c) {
    td_buf_add(buf, &c, 1);
}

void td_buf_printf(struct td_buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        abort();
    reserve(buf, (size_t)len);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

void td_buf_clear(struct td_buf *buf) {
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void td_buf_free(struct td_buf *buf) {
    free(buf->data);
    *buf = (struct td_buf){0};
}

const char *td_buf_text(const struct td_buf *buf) {
    return buf->data ? buf->data : "";
}

char *td_buf_take(struct td_buf *buf) {
    reserve(buf, 0);
    buf->data[buf->len] = '\0';
    char *text = buf->data;
    *buf = (struct td_buf){0};
    return text;
}
