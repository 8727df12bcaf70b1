/*
 * A pattern is cut at its slashes. One without slashes is matched against a name alone, wherever it lies; one with
 * slashes against the path from the root, component by component, where "**" stands for any number of components.
 * Both come down to fnmatch(3) on one component. A '#' at the beginning is no comment here: there are no lines.
 */
#include "twindock/sync/exclude.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    char *text;   /* the components, each with its NUL; owned */
    char **part;  /* where they begin; owned */
    size_t parts; /* at least one */
    bool take_back;
    bool directory; /* matches directories only */
    bool tied;      /* to the root: it has a slash at the beginning or in the middle */
};

struct td_exclude {
    size_t count;
    struct pattern pattern[];
};

static void pattern_free(struct pattern *pattern) {
    free(pattern->text);
    free(pattern->part);
}

/* Cut the text at its slashes. Empty components, from doubled slashes, are dropped. */
static int pattern_cut(struct pattern *pattern) {
    size_t most = 1;
    for (const char *at = pattern->text; *at; at++)
        most += *at == '/';
    pattern->part = calloc(most, sizeof(*pattern->part));
    if (!pattern->part)
        return -ENOMEM;
    char *save = NULL;
    for (char *part = strtok_r(pattern->text, "/", &save); part; part = strtok_r(NULL, "/", &save))
        pattern->part[pattern->parts++] = part;
    return pattern->parts > 0 ? 0 : -EINVAL;
}

static int pattern_make(const char *text, struct pattern *out) {
    if (*text == '!') {
        out->take_back = true;
        text++;
    }
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '/') {
        out->directory = true;
        len--;
    }
    out->tied = memchr(text, '/', len) != NULL;
    out->text = strndup(text, len);
    return out->text ? pattern_cut(out) : -ENOMEM;
}

int td_exclude_make(char *const *patterns, size_t count, struct td_exclude **out, struct td_error *err) {
    struct td_exclude *exclude = calloc(1, sizeof(*exclude) + count * sizeof(exclude->pattern[0]));
    *out = NULL;
    if (!exclude)
        return td_fail(err, ENOMEM, "cannot keep the exclude patterns");
    for (size_t i = 0; i < count; i++) {
        exclude->count++;
        int rc = pattern_make(patterns[i], &exclude->pattern[i]);
        if (rc == 0)
            continue;
        td_exclude_free(exclude);
        if (rc == -EINVAL)
            return td_fail_text(err, EINVAL, "the exclude pattern \"%s\" names nothing", patterns[i]);
        return td_fail(err, -rc, "cannot keep the exclude patterns");
    }
    *out = exclude;
    return 0;
}

void td_exclude_free(struct td_exclude *exclude) {
    if (!exclude)
        return;
    for (size_t i = 0; i < exclude->count; i++)
        pattern_free(&exclude->pattern[i]);
    free(exclude);
}

static bool spans(const char *part) {
    return strcmp(part, "**") == 0;
}

static const char *component_end(const char *at) {
    return strchrnul(at, '/');
}

static const char *component_next(const char *at) {
    const char *end = component_end(at);
    return *end ? end + 1 : end;
}

static bool part_matches(const char *part, const char *at) {
    char name[NAME_MAX + 1];
    size_t len = (size_t)(component_end(at) - at);
    if (len >= sizeof(name))
        return false;
    memcpy(name, at, len);
    name[len] = '\0';
    return fnmatch(part, name, 0) == 0;
}

/* Match the whole path. On a mismatch the last "**" takes one component more, and matching goes on behind it: as with
 * '*' in a name, no earlier one needs to be tried again. */
static bool path_matches(const struct pattern *pattern, const char *path) {
    const char *at = path, *retry_at = NULL;
    size_t i = 0, retry_i = 0;
    while (*at) {
        if (i < pattern->parts && spans(pattern->part[i])) {
            if (i + 1 == pattern->parts)
                return true; /* at the end: everything inside, and there is something */
            retry_i = ++i;
            retry_at = at;
        } else if (i < pattern->parts && part_matches(pattern->part[i], at)) {
            i++;
            at = component_next(at);
        } else if (retry_at) {
            retry_at = component_next(retry_at);
            at = retry_at;
            i = retry_i;
        } else {
            return false;
        }
    }
    return i == pattern->parts;
}

static bool matches(const struct pattern *pattern, const char *path, bool directory) {
    if (pattern->directory && !directory)
        return false;
    if (pattern->tied)
        return path_matches(pattern, path);
    const char *slash = strrchr(path, '/');
    return part_matches(pattern->part[0], slash ? slash + 1 : path);
}

bool td_excluded(const struct td_exclude *exclude, const char *path, bool directory) {
    if (!exclude || *path == '\0')
        return false;
    for (size_t i = exclude->count; i > 0; i--)
        if (matches(&exclude->pattern[i - 1], path, directory))
            return !exclude->pattern[i - 1].take_back;
    return false;
}
