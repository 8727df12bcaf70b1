/*
 * A growing byte string, always NUL-terminated. Zero-initialise it ({0}), free it with td_buf_free()
 * or declare it TD_AUTOBUF. Running out of memory ends the program through abort(): texts are small,
 * and there is nothing sensible left to do. Bulk data never goes through here.
 */
#ifndef TWINDOCK_BASE_BUF_H
#define TWINDOCK_BASE_BUF_H

#include <stddef.h>

struct td_buf {
    char *data; /* NULL while empty and never grown; use td_buf_text() to print */
    size_t len; /* bytes, without the NUL */
    size_t cap;
};

void td_buf_add(struct td_buf *buf, const void *data, size_t len);
void td_buf_puts(struct td_buf *buf, const char *text);
void td_buf_putc(struct td_buf *buf, char c);
void td_buf_printf(struct td_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void td_buf_clear(struct td_buf *buf); /* len = 0, keeps the memory */
void td_buf_free(struct td_buf *buf);
const char *td_buf_text(const struct td_buf *buf); /* never NULL */
char *td_buf_take(struct td_buf *buf);             /* malloc'ed text to the caller; buf is empty again */

#define TD_AUTOBUF __attribute__((cleanup(td_buf_free)))

#endif
