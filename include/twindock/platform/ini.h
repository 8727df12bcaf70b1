/*
 * INI files through libinih: sections, keys, values, line numbers.
 *
 * - `key = value` (or `key: value`), blanks around both trimmed; a key may be repeated, each reaches the handler.
 * - A line whose first character other than a blank is ';' or '#' is a comment; so is the rest of a line from a ';'
 *   that has a blank or nothing before it. A '#' or a ';' inside a word is itself, a '#' that begins a value also. A
 *   pattern that needs a ';' at the beginning of a word writes "[;]" or "\;".
 * - Leading blanks mean nothing: an indented line is a line of its own, never the continuation of the one above.
 * - Refused, not cut: NUL bytes, lines above TD_INI_LINE_MAX bytes, text after a section's ']', lines that are neither
 * section nor pair.
 */
#ifndef TWINDOCK_PLATFORM_INI_H
#define TWINDOCK_PLATFORM_INI_H

#include "twindock/base/error.h"

#define TD_INI_LINE_MAX 8192 /* bytes, comment and line end included: a path of PATH_MAX, and room for its key */

/* Called in the file's order: for the start of every section with key and value NULL, then for each of its pairs.
 * Pairs before the first section have the section "". Non-zero ends the parse and is returned. */
typedef int (*td_ini_handler)(void *ctx, const char *section, const char *key, const char *value, int line);

/* 0, the handler's value, -EINVAL with "FILE:LINE: what was found, expected ..." for a line that is no INI, or the
 * error of opening or reading it ("FILE: cannot be read: ..."). */
int td_ini_parse(const char *file, td_ini_handler handler, void *ctx, struct td_error *err);

#endif
