/* The table of configuration keys: what the parser, the error texts and the manual are made from. Private to config. */
#ifndef TWINDOCK_SRC_CONFIG_KEYS_H
#define TWINDOCK_SRC_CONFIG_KEYS_H

#include "twindock/base/buf.h"

#include <stddef.h>

enum key_section { SECTION_TWINDOCK, SECTION_DOCK, SECTION_COLLECTION, SECTION_KINDS };

enum key_type {
    TYPE_PATH,      /* char *: an absolute path */
    TYPE_SLOT,      /* char *: an ID_PATH or a device node */
    TYPE_TARGET,    /* char *: a directory below a member's root, or "." */
    TYPE_UUID,      /* char *: a filesystem's UUID */
    TYPE_RECIPIENT, /* char *: one mail address, or nothing */
    TYPE_PATTERNS,  /* char ** and its count: the one type whose key may be repeated */
    TYPE_DURATION,  /* int64_t seconds */
    TYPE_PERIOD,    /* the same, and not 0 */
    TYPE_WAIT,      /* the same, -1 for nothing */
    TYPE_CLOCK,     /* int seconds since midnight, -1 for nothing */
    TYPE_PERCENT,   /* int hundredths of a percent */
    TYPE_COUNT,     /* int from 1 */
    TYPE_CHOICE,    /* an enum: the index into `choices` */
    TYPE_FLAG,      /* bool: the second of two `choices` means true */
    TYPE_KINDS
};

struct config_key {
    enum key_section section;
    enum key_type type;
    const char *name;
    const char *fallback;       /* the default as it would stand in the file; NULL: none */
    const char *const *choices; /* NULL-terminated, for TYPE_CHOICE and TYPE_FLAG */
    size_t offset;              /* of the field in the section's struct */
    const char *meaning;        /* for the manual, one line */
};

#define CONFIG_KEYS_MAX 32 /* room for a line number per key */

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* How a section is written, and what it is called: "[dock NAME]", "dock". */
const char *config_section_form(enum key_section section);
const char *config_section_word(enum key_section section);

const struct config_key *config_key_find(enum key_section section, const char *name);
/* The key of the section that `name` is most likely a slip of, NULL when none is near. */
const struct config_key *config_key_nearest(enum key_section section, const char *name);
/* The same for the word that a section begins with. SECTION_KINDS: none is near. */
enum key_section config_section_nearest(const char *word);
/* Append the names of the section's keys, comma-separated. */
void config_key_list(enum key_section section, struct td_buf *out);

#endif
