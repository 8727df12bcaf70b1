/* Header fields of a mail: RFC 5322 (form, dates), RFC 2047 (encoded words). Pure. */
#ifndef TWINDOCK_REPORT_MIME_H
#define TWINDOCK_REPORT_MIME_H

#include "twindock/base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* "NAME: VALUE\n" for unstructured text, which must be one line of UTF-8. What is not printable ASCII, or could be
 * taken for an encoded word, is encoded: lines of at most 76 characters, folded between encoded words. */
void td_mime_text(struct td_buf *out, const char *name, const char *value);
/* The same for addresses: every byte that is not printable ASCII becomes '?', so nothing begins a new line. */
void td_mime_address(struct td_buf *out, const char *name, const char *value);
/* "Date: Wed, 10 Sep 2014 18:00:04 -0700\n", local time with its offset. */
void td_mime_date(struct td_buf *out, int64_t seconds);

#endif
