/* struct td_json is never defined: it is jansson's json_t under a name that other modules may know. */
#include "twindock/platform/json.h"

#include "twindock/base/escape.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

static json_t *inner(struct td_json *json) {
    return (json_t *)json;
}

static const json_t *inner_const(const struct td_json *json) {
    return (const json_t *)json;
}

/* For building, which has nobody to report to. What fails is memory, or a key in the code that is not UTF-8. */
static json_t *must(json_t *json) {
    if (!json)
        abort();
    return json;
}

static void must_set(struct td_json *object, const char *key, json_t *value) {
    if (json_object_set_new(inner(object), key, must(value)) < 0)
        abort();
}

struct td_json *td_json_object(void) {
    return (struct td_json *)must(json_object());
}

struct td_json *td_json_array(void) {
    return (struct td_json *)must(json_array());
}

void td_json_free(struct td_json *json) {
    json_decref(inner(json));
}

/* True when `value` had to be escaped. */
static bool set_escaped(struct td_json *object, const char *key, const char *value) {
    TD_AUTOBUF struct td_buf text = {0};
    bool changed = td_escape_json(&text, value, strlen(value));
    must_set(object, key, json_string(td_buf_text(&text)));
    return changed;
}

void td_json_text(struct td_json *object, const char *key, const char *value) {
    if (value)
        set_escaped(object, key, value);
    else
        td_json_null(object, key);
}

void td_json_int(struct td_json *object, const char *key, int64_t value) {
    must_set(object, key, json_integer(value));
}

void td_json_bool(struct td_json *object, const char *key, bool value) {
    must_set(object, key, json_boolean(value));
}

void td_json_null(struct td_json *object, const char *key) {
    must_set(object, key, json_null());
}

void td_json_path(struct td_json *object, const char *key, const char *path) {
    if (!path) {
        td_json_null(object, key);
        return;
    }
    if (!set_escaped(object, key, path))
        return;
    TD_AUTOBUF struct td_buf name = {0};
    TD_AUTOBUF struct td_buf encoded = {0};
    td_buf_printf(&name, "%s_b64", key);
    td_base64(&encoded, path, strlen(path));
    must_set(object, td_buf_text(&name), json_string(td_buf_text(&encoded)));
}

struct td_json *td_json_set(struct td_json *object, const char *key, struct td_json *value) {
    must_set(object, key, inner(value));
    return value;
}

struct td_json *td_json_append(struct td_json *array, struct td_json *value) {
    if (json_array_append_new(inner(array), must(inner(value))) < 0)
        abort();
    return value;
}

static int print_piece(const char *data, size_t len, void *out) {
    td_buf_add(out, data, len);
    return 0;
}

void td_json_print(const struct td_json *json, struct td_buf *out) {
    if (json_dump_callback(inner_const(json), print_piece, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
        abort();
    td_buf_putc(out, '\n');
}

/* jansson would go 2048 deep, by recursion. The offset where the text goes deeper than DEPTH_MAX, or `len`. */
static size_t too_deep_at(const char *text, size_t len) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '[' || text[i] == '{') {
            if (++depth > DEPTH_MAX)
                return i;
        } else if (text[i] == ']' || text[i] == '}') {
            depth--;
        }
    }
    return len;
}

struct td_json *td_json_parse(const char *text, size_t len, struct td_error *err) {
    size_t deep = too_deep_at(text, len);
    if (deep < len) {
        td_fail_text(err, EINVAL, "JSON nested deeper than %d at byte %zu", DEPTH_MAX, deep);
        return NULL;
    }
    json_error_t why;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        td_fail_text(err, EINVAL, "no JSON at line %d, column %d: %s", why.line, why.column, why.text);
    return (struct td_json *)json;
}

bool td_json_get_text(const struct td_json *object, const char *key, const char **value) {
    const json_t *found = json_object_get(inner_const(object), key);
    if (!json_is_string(found))
        return false;
    *value = json_string_value(found);
    return true;
}

bool td_json_get_int(const struct td_json *object, const char *key, int64_t *value) {
    const json_t *found = json_object_get(inner_const(object), key);
    if (!json_is_integer(found))
        return false;
    *value = json_integer_value(found);
    return true;
}

bool td_json_get_bool(const struct td_json *object, const char *key, bool *value) {
    const json_t *found = json_object_get(inner_const(object), key);
    if (!json_is_boolean(found))
        return false;
    *value = json_is_true(found);
    return true;
}
