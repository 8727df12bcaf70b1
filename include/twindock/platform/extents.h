/* Where a file's data lies on its device. Source: Documentation/filesystems/fiemap.rst of the kernel. */
#ifndef TWINDOCK_PLATFORM_EXTENTS_H
#define TWINDOCK_PLATFORM_EXTENTS_H

#include "twindock/base/error.h"
#include "twindock/base/range.h"
#include "twindock/platform/blockdev.h"

#include <stdbool.h>
#include <stdint.h>

/* The byte offset of the file's first extent on its device into *place; 0 when it has none there (empty, inline in its
 * inode, not yet allocated). *whole: its first `size` bytes, and all that it has, lie there in one piece and as they
 * are: written, not encoded, shared with no other file. 0, or a negative errno: -EOPNOTSUPP or -ENOTTY where the
 * filesystem cannot say. */
int td_extents_first(int fd, uint64_t size, uint64_t *place, bool *whole);

/* The device in whose bytes that counts. -EOPNOTSUPP on filesystems other than ext4 and XFS: they may lie on several.
 */
int td_extents_device(int fd, struct td_blockdev *out, struct td_error *err);

/* Every stretch of the device that holds data of this file or directory, or its extended attributes: `each` with the
 * stretch on the device. A non-zero return ends it and is returned. 0, or a negative errno as above. */
int td_extents_each(int fd, int (*each)(void *ctx, const struct td_range *where), void *ctx);

#endif
