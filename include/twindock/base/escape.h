/* Bytes for people and for machines: nothing that a file name holds reaches a terminal, a mail or JSON raw. */
#ifndef TWINDOCK_BASE_ESCAPE_H
#define TWINDOCK_BASE_ESCAPE_H

#include "twindock/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool td_utf8_valid(const void *data, size_t len);

/*
 * Append bytes for a person: control bytes (C0, DEL, and C1 as U+0080..U+009F), the bidirectional
 * controls (U+061C, U+200E/F, U+202A..E, U+2066..9), line and paragraph separators and bytes that are not UTF-8
 * become \xNN, a backslash becomes \\. The result is one line of printable UTF-8.
 */
void td_escape(struct td_buf *out, const void *data, size_t len);
void td_escape_text(struct td_buf *out, const char *text);

/* Append bytes for JSON: as they are when they are UTF-8 (jansson escapes controls); otherwise bytes
 * that are not UTF-8 become \xNN. Returns true when something had to be changed (then add path_b64). */
bool td_escape_json(struct td_buf *out, const void *data, size_t len);

/* RFC 4648 base64 with padding. */
void td_base64(struct td_buf *out, const void *data, size_t len);

/* Lower-case hexadecimal, 2*len digits and a NUL into `out`; and back (false: not 2*len hex digits). */
void td_hex(char *out, const uint8_t *data, size_t len);
bool td_unhex(uint8_t *out, size_t len, const char *text);

#endif
