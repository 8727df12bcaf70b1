/* Whole reads and writes, and small files replaced so that a crash leaves the old or the new one. */
#ifndef TWINDOCK_BASE_IO_H
#define TWINDOCK_BASE_IO_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* Read or write all of `len` unless the end of the file comes first; EINTR and short counts are handled.
 * The count, or a negative errno. */
ssize_t td_pread_all(int fd, void *data, size_t len, off_t offset);
int td_write_all(int fd, const void *data, size_t len);
int td_pwrite_all(int fd, const void *data, size_t len, off_t offset);

/* Read the file `name` (one component or a trusted path) below dirfd, at most `max` bytes (-EFBIG above).
 * Symlinks are not followed. */
int td_read_small(int dirfd, const char *name, size_t max, struct td_buf *out, struct td_error *err);

/* Replace the file `name` in the directory dirfd: write a temporary file beside it, mode 0644, fsync, rename,
 * fsync the directory. On failure the temporary file is gone and the old file is whole. */
int td_replace_small(int dirfd, const char *name, const void *data, size_t len, struct td_error *err);

#endif
