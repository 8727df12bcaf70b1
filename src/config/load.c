/* Reading the file: sections and pairs as they come, then a look at the whole. */
#include "load.h"

#include "value.h"

#include "twindock/config/config.h"
#include "twindock/platform/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int config_complain(struct config_loader *loader, int line, const char *format, ...) {
    char words[TD_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return td_fail_text(loader->err, EINVAL, "%s:%d: %s", loader->config->file, line, words);
}

static int out_of_memory(struct config_loader *loader) {
    return td_fail(loader->err, ENOMEM, "%s: cannot be read", loader->config->file);
}

void *config_section_owner(const struct config_loader *loader, const struct config_section *section) {
    if (section->kind == SECTION_DOCK)
        return &loader->config->docks[section->index];
    if (section->kind == SECTION_COLLECTION)
        return &loader->config->collections[section->index];
    return loader->config;
}

static bool name_ok(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(name);
    return len > 0 && len < TD_NAME_MAX && len == strspn(name, allowed);
}

/* Split "collection M" into kind and name ("" for [twindock]). */
static int classify(struct config_loader *loader, const char *text, int line, enum key_section *kind,
                    const char **name) {
    static const char known[] = "[twindock], [dock NAME] or [collection NAME]";
    char word[TD_NAME_MAX];
    size_t len = strcspn(text, " \t");
    snprintf(word, sizeof word, "%.*s", (int)len, text);
    *name = text + len + strspn(text + len, " \t");
    *kind = config_section_nearest(word);
    if (*kind == SECTION_KINDS)
        return config_complain(loader, line, "unknown section [%.100s], expected %s", text, known);
    if (strcmp(word, config_section_word(*kind)) != 0)
        return config_complain(loader, line, "unknown section [%.100s], expected %s; did you mean '%s'?", text, known,
                               config_section_word(*kind));
    if (*kind == SECTION_TWINDOCK && **name)
        return config_complain(loader, line, "a name in [%.100s], expected [twindock]", text);
    if (*kind != SECTION_TWINDOCK && !name_ok(*name))
        return config_complain(loader, line, "[%.100s], expected %s with a name of 1 to %d letters, digits, '-' or '_'",
                               text, config_section_form(*kind), TD_NAME_MAX - 1);
    return 0;
}

/* The array with one element more, zeroed, at its end; NULL without memory, the array as it was. */
static void *grown(void *array, size_t size, size_t count) {
    char *larger = reallocarray(array, count + 1, size);
    if (larger)
        memset(larger + count * size, 0, size);
    return larger;
}

static int add_dock(struct td_config *config, const char *name) {
    struct td_dock_config *docks = grown(config->docks, sizeof *docks, config->dock_count);
    if (!docks)
        return -ENOMEM;
    config->docks = docks;
    struct td_dock_config *dock = &docks[config->dock_count++];
    snprintf(dock->name, sizeof dock->name, "%s", name);
    return config_value_defaults(SECTION_DOCK, dock);
}

static int add_collection(struct td_config *config, const char *name) {
    struct td_collection_config *collections =
        grown(config->collections, sizeof *collections, config->collection_count);
    if (!collections)
        return -ENOMEM;
    config->collections = collections;
    struct td_collection_config *collection = &collections[config->collection_count++];
    snprintf(collection->name, sizeof collection->name, "%s", name);
    return config_value_defaults(SECTION_COLLECTION, collection);
}

/* Give the section a struct in the configuration, with its name and its defaults. */
static int add_owner(struct td_config *config, struct config_section *section, const char *name) {
    if (section->kind == SECTION_DOCK) {
        section->index = config->dock_count;
        return add_dock(config, name);
    }
    if (section->kind == SECTION_COLLECTION) {
        section->index = config->collection_count;
        return add_collection(config, name);
    }
    return 0; /* its defaults were set before the first line, as the section may be absent */
}

static int begin_section(struct config_loader *loader, const char *text, int line) {
    enum key_section kind = SECTION_KINDS;
    const char *name = NULL;
    int rc = classify(loader, text, line, &kind, &name);
    if (rc < 0)
        return rc;
    char title[sizeof loader->sections->title];
    snprintf(title, sizeof title, "[%s%s%s]", config_section_word(kind), *name ? " " : "", name);
    for (size_t i = 0; i < loader->count; i++) {
        if (strcmp(loader->sections[i].title, title) == 0)
            return config_complain(loader, line, "%s again, expected each section once; the first is on line %d", title,
                                   loader->sections[i].line);
    }
    struct config_section *sections = grown(loader->sections, sizeof *sections, loader->count);
    if (!sections)
        return out_of_memory(loader);
    loader->sections = sections;
    struct config_section *section = &sections[loader->count++];
    section->kind = kind;
    section->line = line;
    memcpy(section->title, title, sizeof title);
    return add_owner(loader->config, section, name) < 0 ? out_of_memory(loader) : 0;
}

static int unknown_key(struct config_loader *loader, const struct config_section *section, const char *name, int line) {
    for (enum key_section other = 0; other < SECTION_KINDS; other++) {
        if (config_key_find(other, name))
            return config_complain(loader, line, "key '%s' in %s, expected it in %s", name, section->title,
                                   config_section_form(other));
    }
    TD_AUTOBUF struct td_buf list = {0};
    config_key_list(section->kind, &list);
    const struct config_key *meant = config_key_nearest(section->kind, name);
    return config_complain(loader, line, "unknown key '%.100s' in %s, expected one of %s%s%s%s", name, section->title,
                           td_buf_text(&list), meant ? "; did you mean '" : "", meant ? meant->name : "",
                           meant ? "'?" : "");
}

static int set_key(struct config_loader *loader, const char *name, const char *value, int line) {
    if (loader->count == 0)
        return config_complain(loader, line, "key '%.100s' before any section, expected [twindock] or another first",
                               name);
    struct config_section *section = &loader->sections[loader->count - 1];
    const struct config_key *key = config_key_find(section->kind, name);
    if (!key)
        return unknown_key(loader, section, name, line);
    int *seen = &section->key_lines[key - config_keys];
    if (*seen && key->type != TYPE_PATTERNS)
        return config_complain(loader, line, "'%s' again in %s, expected it once; the first is on line %d", name,
                               section->title, *seen);
    *seen = line;
    int rc = config_value_set(key, config_section_owner(loader, section), value);
    if (rc == -ENOMEM)
        return out_of_memory(loader);
    if (rc == 0)
        return 0;
    TD_AUTOBUF struct td_buf expected = {0};
    config_value_expected(key, &expected);
    return config_complain(loader, line, "%s = '%.200s' in %s, expected %s", name, value, section->title,
                           td_buf_text(&expected));
}

static int take(void *ctx, const char *section, const char *key, const char *value, int line) {
    return key ? set_key(ctx, key, value, line) : begin_section(ctx, section, line);
}

/* A collection without a target goes below its own name. */
static int name_targets(struct td_config *config) {
    for (size_t i = 0; i < config->collection_count; i++) {
        struct td_collection_config *collection = &config->collections[i];
        if (!collection->target)
            collection->target = strdup(collection->name);
        if (!collection->target)
            return -ENOMEM;
    }
    return 0;
}

static int load(struct config_loader *loader, const char *file) {
    loader->config->file = strdup(file);
    if (!loader->config->file)
        return td_fail(loader->err, ENOMEM, "%s: cannot be read", file);
    if (config_value_defaults(SECTION_TWINDOCK, loader->config) < 0)
        return out_of_memory(loader);
    int rc = td_ini_parse(file, take, loader, loader->err);
    if (rc == 0)
        rc = config_check(loader);
    if (rc == 0 && name_targets(loader->config) < 0)
        rc = out_of_memory(loader);
    return rc;
}

int td_config_load(const char *file, struct td_config *out, struct td_error *err) {
    struct td_error fault = {0};
    struct config_loader loader = {.config = out, .err = &fault};
    *out = (struct td_config){0};
    int rc = load(&loader, file);
    free(loader.sections);
    if (rc == 0)
        return 0;
    td_config_free(out);
    if (rc == -EINVAL)
        return td_fail_text(err, EINVAL, "%s", fault.text);
    return td_fail_text(err, -rc, "%s, expected a configuration file such as twindock.conf.example", fault.text);
}
