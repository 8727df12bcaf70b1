/*
 * The configuration file: keys, their types and defaults as one table, from which the parser, the error texts
 * and the manual are made.
 */
#ifndef TWINDOCK_CONFIG_CONFIG_H
#define TWINDOCK_CONFIG_CONFIG_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/model/config.h"

#define TD_CONFIG_FILE "/etc/twindock/twindock.conf"

/* Read `file`. On failure `err` says "FILE:LINE: what was found, what was expected" (no line for a missing file), and
 * `out` is empty. Checked as a whole as well: no two docks share a slot, a collection has a source, individual
 * docks have two different slots, names are letters, digits, '-', '_'. */
int td_config_load(const char *file, struct td_config *out, struct td_error *err);
void td_config_free(struct td_config *config);

/* NULL when there is none of that name. */
const struct td_collection_config *td_config_collection(const struct td_config *config, const char *name);

/* What an empty file would give; `file` is only its name. For what must go on when the file is broken. 0 or -ENOMEM. */
int td_config_defaults(const char *file, struct td_config *out);

/* Defaults of a collection, for use without a file (sync). Pointers are NULL. */
void td_config_collection_defaults(struct td_collection_config *out);

/* The key table as text for the manual: section, key, default, meaning, what it takes; one a line, tab-separated. */
void td_config_describe(struct td_buf *out);

#endif
