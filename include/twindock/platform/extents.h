/* Where a file's data lies on its device. Source: Documentation/filesystems/fiemap.rst of the kernel. */
#ifndef TWINDOCK_PLATFORM_EXTENTS_H
#define TWINDOCK_PLATFORM_EXTENTS_H

#include "twindock/base/range.h"

#include <stdint.h>

/* The byte offset of the file's first extent on its device into *place; 0 when it has none there (empty, inline in its
 * inode, not yet allocated). 0, or a negative errno: -EOPNOTSUPP or -ENOTTY where the filesystem cannot say. */
int td_extents_first(int fd, uint64_t *place);

/* Every stretch of the device that holds data of this file or directory, or its extended attributes: `each` with the
 * stretch on the device. A non-zero return ends it and is returned. 0, or a negative errno as above. */
int td_extents_each(int fd, int (*each)(void *ctx, const struct td_range *where), void *ctx);

#endif
