/* Where a file's data lies on its device. Source: Documentation/filesystems/fiemap.rst of the kernel. */
#ifndef TWINDOCK_PLATFORM_EXTENTS_H
#define TWINDOCK_PLATFORM_EXTENTS_H

#include <stdint.h>

/* The byte offset of the file's first extent on its device into *place; 0 when it has none there (empty, inline in its
 * inode, not yet allocated). 0, or a negative errno: -EOPNOTSUPP or -ENOTTY where the filesystem cannot say. */
int td_extents_first(int fd, uint64_t *place);

#endif
