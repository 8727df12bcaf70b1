/*
 * JSON through jansson, behind a small opaque type. Building never fails visibly: running out of memory aborts.
 * Strings given to td_json_text must be UTF-8 or are escaped as td_escape_json does.
 */
#ifndef TWINDOCK_PLATFORM_JSON_H
#define TWINDOCK_PLATFORM_JSON_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct td_json;

struct td_json *td_json_object(void);
struct td_json *td_json_array(void);
void td_json_free(struct td_json *json); /* only roots are freed; added values belong to their parent */

/* Members of an object. A NULL text is written as null. */
void td_json_text(struct td_json *object, const char *key, const char *value);
void td_json_int(struct td_json *object, const char *key, int64_t value);
void td_json_bool(struct td_json *object, const char *key, bool value);
void td_json_null(struct td_json *object, const char *key);
/* A file name of any bytes under `key`; adds <key>_b64 when it is not UTF-8. */
void td_json_path(struct td_json *object, const char *key, const char *path);
/* Put `value` (a root until now) under key / at the end of an array; the parent owns it. Returns value. */
struct td_json *td_json_set(struct td_json *object, const char *key, struct td_json *value);
struct td_json *td_json_append(struct td_json *array, struct td_json *value);

/* Serialise, keys in the order of insertion, two blanks of indent, newline at the end. */
void td_json_print(const struct td_json *json, struct td_buf *out);

/* Parse one document; duplicate keys, trailing bytes and depth beyond 64 are errors (-EINVAL with a position). */
struct td_json *td_json_parse(const char *text, size_t len, struct td_error *err);
/* Look up in an object; false when absent or of another type. Texts stay owned by the document. */
bool td_json_get_text(const struct td_json *object, const char *key, const char **value);
bool td_json_get_int(const struct td_json *object, const char *key, int64_t *value);
bool td_json_get_bool(const struct td_json *object, const char *key, bool *value);

#endif
