/* Is the source what the configuration demands? Looked at before anything is written. */
#ifndef TWINDOCK_DOCK_SOURCE_H
#define TWINDOCK_DOCK_SOURCE_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/dock/observe.h"
#include "twindock/model/config.h"

/*
 * Open the collection's source directory. Returns its descriptor, or -ENOENT with the sentence of the verdict
 * `source-missing` appended to `why`: absent, not a directory, empty, `source_mount` not a mount point, the filesystem
 * UUID not `source_uuid`, or on one of the docked disks (`seen` may be NULL). Other negative errnos are internal errors
 * in `err`.
 */
int td_source_open(const struct td_collection_config *collection, const struct td_observation *seen, struct td_buf *why,
                   struct td_error *err);

#endif
