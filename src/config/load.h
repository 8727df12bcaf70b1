/* What the loader knows while it reads: where everything stood. Private to config. */
#ifndef TWINDOCK_SRC_CONFIG_LOAD_H
#define TWINDOCK_SRC_CONFIG_LOAD_H

#include "keys.h"

#include "twindock/base/error.h"
#include "twindock/model/config.h"

struct config_section {
    enum key_section kind;
    size_t index; /* into the configuration's docks or collections */
    int line;
    char title[TD_NAME_MAX + 16];   /* "[collection M]" */
    int key_lines[CONFIG_KEYS_MAX]; /* by index into config_keys: the (last) line of the key, 0: absent */
};

struct config_loader {
    struct td_config *config;
    struct config_section *sections; /* in the file's order */
    size_t count;
    struct td_error *err;
};

/* Fill the error with "FILE:LINE: ...". Returns -EINVAL. */
int config_complain(struct config_loader *loader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The struct that the section's keys are set in. */
void *config_section_owner(const struct config_loader *loader, const struct config_section *section);

/* The line of a key in its section; of the section itself when the key is not there. */
int config_key_line(const struct config_section *section, const char *name);

/* What only the whole file shows: keys that are missing or do not go together, slots in use twice. 0 or -EINVAL. */
int config_check(struct config_loader *loader);

#endif
