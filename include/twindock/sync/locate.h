/* Whose are these places? The files and directories of a mounted tree that lie on given stretches of its device. */
#ifndef TWINDOCK_SYNC_LOCATE_H
#define TWINDOCK_SYNC_LOCATE_H

#include "twindock/base/error.h"
#include "twindock/base/range.h"

#include <stdatomic.h>
#include <stddef.h>

/* Walk the tree below `root` and call `each` for every file or directory that has something in one of the `count`
 * stretches (ascending, apart): its path below root, and the first of them that it lies on. What belongs to no file
 * (inode tables, bitmaps, the journal) is not told. A non-zero return of `each` ends it and is returned. */
int td_locate(int root, const struct td_range *places, size_t count, const atomic_bool *cancel,
              int (*each)(void *ctx, const char *path, size_t place), void *ctx, struct td_error *err);

#endif
