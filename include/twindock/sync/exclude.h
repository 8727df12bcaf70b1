/*
 * Exclude patterns as in gitignore(5), matched with fnmatch(3): '!' takes back, a trailing '/' means directories, a
 * leading or inner '/' ties the pattern to the collection's root, "**" spans directories; the last match wins.
 */
#ifndef TWINDOCK_SYNC_EXCLUDE_H
#define TWINDOCK_SYNC_EXCLUDE_H

#include "twindock/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct td_exclude; /* compiled patterns; read-only after making, may be shared by threads */

int td_exclude_make(char *const *patterns, size_t count, struct td_exclude **out, struct td_error *err);
void td_exclude_free(struct td_exclude *exclude);
/* `path` below the collection's root; what lies above it is taken as not excluded (a walk does not enter what is).
 * NULL excludes nothing, and the root never is. */
bool td_excluded(const struct td_exclude *exclude, const char *path, bool directory);

#endif
