/* Walk a tree and describe everything in it. */
#ifndef TWINDOCK_SYNC_WALK_H
#define TWINDOCK_SYNC_WALK_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"
#include "twindock/sync/exclude.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_walk_options {
    const struct td_exclude *exclude; /* may be NULL */
    const char *const *skip_top; /* names in the root that are not part of the tree; NULL-terminated; may be NULL */
    bool one_filesystem;         /* mount points below are not entered: their error is EXDEV */
    const atomic_bool *cancel;   /* set to end with -ECANCELED; may be NULL */
    uint64_t entries;            /* about how many there are: metadata is read ahead for so many; 0: none is */
};

/*
 * Describe the root ("" first) and everything below it. Parents come before their children; beyond that the order is
 * the walker's own (inode order within a directory, so that inode tables are read in order). What cannot be read is
 * described with `error` set and the walk goes on; a directory that disappears meanwhile is left out. Memory is bounded
 * by the largest directory and the depth. `emit` may be called from one thread only; entries are valid during the call;
 * a non-zero return ends the walk and is returned. A lost disk (EIO on the root, ENODEV, ENXIO, ESHUTDOWN) ends it too.
 */
int td_walk(int root, const struct td_walk_options *options, int (*emit)(void *ctx, const struct td_entry *entry),
            void *ctx, struct td_error *err);

#endif
