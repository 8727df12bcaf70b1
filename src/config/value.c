#include "value.h"

#include "twindock/base/clock.h"
#include "twindock/model/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(enum td_mode) == sizeof(unsigned) && sizeof(enum td_mail_on) == sizeof(unsigned) &&
                   sizeof(enum td_eject) == sizeof(unsigned),
               "set_choice writes an unsigned");

static bool blank_or_control(char c) {
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool has_blank(const char *text) {
    while (*text && !blank_or_control(*text))
        text++;
    return *text != '\0';
}

/* Replace the string in a field. */
static int set_string(void *field, const char *text, size_t len) {
    char *copy = strndup(text, len);
    if (!copy)
        return -ENOMEM;
    char **string = field;
    free(*string);
    *string = copy;
    return 0;
}

/* The length of the path without slashes at its end; "/" stays. */
static size_t path_len(const char *path) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len;
}

static int set_path(const struct config_key *key, void *field, const char *text) {
    (void)key;
    return *text == '/' ? set_string(field, text, path_len(text)) : -EINVAL;
}

static bool begins(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A slot is a place. Links that follow a disk about would make every disk seem to be in its slot. */
static bool follows_disk(const char *node) {
    return begins(node, "/dev/disk/") && !begins(node, "/dev/disk/by-path/");
}

static int set_slot(const struct config_key *key, void *field, const char *text) {
    (void)key;
    if (!*text || has_blank(text))
        return -EINVAL;
    if (*text == '/' ? follows_disk(text) || text[path_len(text) - 1] == '/' : strchr(text, '/') != NULL)
        return -EINVAL;
    return set_string(field, text, path_len(text));
}

/* One component of a target: neither "." nor "..", and at the root none of the names that others use there. */
static bool component_ok(const char *name, size_t len, bool first) {
    static const char *const taken[] = {".twindock", "RESTORE.txt", "lost+found"};
    if (len == 0 || len > 255 || (len == 1 && *name == '.') || (len == 2 && memcmp(name, "..", 2) == 0))
        return false;
    for (size_t i = 0; first && i < sizeof taken / sizeof *taken; i++) {
        if (strlen(taken[i]) == len && memcmp(taken[i], name, len) == 0)
            return false;
    }
    return true;
}

static int set_target(const struct config_key *key, void *field, const char *text) {
    (void)key;
    if (*text == '/')
        return -EINVAL;
    size_t end = path_len(text);
    if (end == 1 && *text == '.')
        return set_string(field, text, end);
    for (size_t begin = 0; begin <= end;) {
        size_t len = strcspn(text + begin, "/");
        if (!component_ok(text + begin, len, begin == 0))
            return -EINVAL;
        begin += len + 1;
    }
    return set_string(field, text, end);
}

static int set_uuid(const struct config_key *key, void *field, const char *text) {
    (void)key;
    size_t len = strlen(text);
    if (len == 0 || len != strspn(text, "0123456789abcdefABCDEF-"))
        return -EINVAL;
    return set_string(field, text, len);
}

static int set_recipient(const struct config_key *key, void *field, const char *text) {
    (void)key;
    if (*text == '-' || has_blank(text) || strchr(text, ','))
        return -EINVAL;
    return set_string(field, text, strlen(text));
}

/* `field` is `exclude` of the collection; its count stands beside it. */
static int add_pattern(const struct config_key *key, void *field, const char *text) {
    if (!*text)
        return -EINVAL;
    struct td_collection_config *collection = (void *)((char *)field - key->offset);
    char **grown = reallocarray(collection->exclude, collection->excludes + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    collection->exclude = grown;
    grown[collection->excludes] = strdup(text);
    if (!grown[collection->excludes])
        return -ENOMEM;
    collection->excludes++;
    return 0;
}

static int set_duration(const struct config_key *key, void *field, const char *text) {
    int64_t seconds = td_parse_duration(text);
    if (seconds < 0 || (seconds == 0 && key->type == TYPE_PERIOD))
        return -EINVAL;
    *(int64_t *)field = seconds;
    return 0;
}

static int set_wait(const struct config_key *key, void *field, const char *text) {
    if (*text)
        return set_duration(key, field, text);
    *(int64_t *)field = -1;
    return 0;
}

static int set_clock(const struct config_key *key, void *field, const char *text) {
    (void)key;
    int seconds = *text ? td_parse_clock(text) : -1;
    if (*text && seconds < 0)
        return -EINVAL;
    *(int *)field = seconds;
    return 0;
}

static int set_percent(const struct config_key *key, void *field, const char *text) {
    (void)key;
    int hundredths = td_parse_percent(text);
    if (hundredths < 0)
        return -EINVAL;
    *(int *)field = hundredths;
    return 0;
}

static int set_count(const struct config_key *key, void *field, const char *text) {
    (void)key;
    size_t len = strlen(text);
    if (len == 0 || len > 6 || len != strspn(text, "0123456789"))
        return -EINVAL;
    int count = (int)strtol(text, NULL, 10);
    if (count < 1)
        return -EINVAL;
    *(int *)field = count;
    return 0;
}

/* The index of `text` among the choices, or -1. */
static int choice_index(const struct config_key *key, const char *text) {
    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) == 0)
            return i;
    }
    return -1;
}

static int set_choice(const struct config_key *key, void *field, const char *text) {
    int index = choice_index(key, text);
    if (index < 0)
        return -EINVAL;
    unsigned value = (unsigned)index;
    memcpy(field, &value, sizeof value);
    return 0;
}

static int set_flag(const struct config_key *key, void *field, const char *text) {
    int index = choice_index(key, text);
    if (index < 0)
        return -EINVAL;
    *(bool *)field = index == 1;
    return 0;
}

static const struct {
    int (*set)(const struct config_key *key, void *field, const char *text);
    const char *expected; /* NULL: one of the choices */
} types[TYPE_KINDS] = {
    [TYPE_PATH] = {set_path, "an absolute path"},
    [TYPE_SLOT] = {set_slot,
                   "a place: an ID_PATH (twindock slots shows it) or a device node such as /dev/sdb, not a link "
                   "that follows a disk"},
    [TYPE_TARGET] = {set_target, "a relative path without . and .., or . alone; .twindock, RESTORE.txt and lost+found "
                                 "are taken"},
    [TYPE_UUID] = {set_uuid, "a filesystem's UUID, as blkid prints it"},
    [TYPE_RECIPIENT] = {set_recipient, "one mail address or user, or nothing for no mail"},
    [TYPE_PATTERNS] = {add_pattern, "a pattern as in gitignore(5)"},
    [TYPE_DURATION] = {set_duration, "a duration such as 30s, 10m, 2h, 21d or 4w"},
    [TYPE_PERIOD] = {set_duration, "a duration above 0 such as 30s, 10m, 2h, 21d or 4w"},
    [TYPE_WAIT] = {set_wait, "a duration such as 30s, 10m or 2h, or nothing for the default"},
    [TYPE_CLOCK] = {set_clock, "a time of day such as 07:00, or nothing for no limit"},
    [TYPE_PERCENT] = {set_percent, "a percentage from 0% to 100%"},
    [TYPE_COUNT] = {set_count, "a number from 1 to 999999"},
    [TYPE_CHOICE] = {set_choice, NULL},
    [TYPE_FLAG] = {set_flag, NULL},
};

int config_value_set(const struct config_key *key, void *owner, const char *text) {
    return types[key->type].set(key, (char *)owner + key->offset, text);
}

void config_value_expected(const struct config_key *key, struct td_buf *out) {
    if (types[key->type].expected) {
        td_buf_puts(out, types[key->type].expected);
        return;
    }
    for (size_t i = 0; key->choices[i]; i++)
        td_buf_printf(out, "%s%s", i == 0 ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
}

int config_value_defaults(enum key_section section, void *owner) {
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section != section || !key->fallback)
            continue;
        int rc = config_value_set(key, owner, key->fallback);
        if (rc == -EINVAL)
            abort(); /* the table contradicts itself */
        if (rc < 0)
            return rc;
    }
    return 0;
}
