/*
 * What a command needs to find in the configuration before it looks at any disk. Each returns 0, or the exit code with
 * `err` filled; all tell of the same lack with the same sentence.
 */
#ifndef TWINDOCK_RUN_NEED_H
#define TWINDOCK_RUN_NEED_H

#include "twindock/base/error.h"
#include "twindock/model/config.h"

/* A dock, whichever: TD_EXIT_CONFIG without one. */
int td_need_dock(const struct td_config *config, struct td_error *err);

/* The collection that was named on the command line: TD_EXIT_USAGE, and which ones there are. */
int td_need_collection(const struct td_config *config, const char *name, struct td_error *err);

/* The section of a collection that has been enrolled: TD_EXIT_CONFIG. */
int td_need_section(const struct td_config *config, const char *name, struct td_error *err);

#endif
