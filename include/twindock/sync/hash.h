/*
 * Read a file from the medium and hash it. O_DIRECT with aligned buffers; where the filesystem refuses it: fsync,
 * POSIX_FADV_DONTNEED, read, POSIX_FADV_DONTNEED. Holes are hashed as zeros without being read.
 */
#ifndef TWINDOCK_SYNC_HASH_H
#define TWINDOCK_SYNC_HASH_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct td_digest;

#define TD_READ_SIZE (1U << 20) /* bytes of one read */
#define TD_ALIGN 4096U          /* of buffers, offsets and lengths for O_DIRECT */

/* An open source of bytes read from the medium, in order. */
struct td_medium {
    int fd;
    bool direct;   /* false: by the documented fallback */
    bool strict;   /* directly or not at all: a block device, which other readers share */
    uint64_t size; /* of the file when it was opened */
    uint64_t offset;
    uint64_t data_end;  /* end of the data segment being read */
    struct stat before; /* of the open file, to notice changes */
};

/* Open `path` below root for reading from the medium. Must be a regular file (-EINVAL). root -1: there is no tree, and
 * so no such file (-ENOENT). */
int td_medium_open(int root, const char *path, struct td_medium *out, struct td_error *err);
/* The same for a descriptor that the caller has opened (O_RDONLY); takes it over. */
int td_medium_attach(int fd, struct td_medium *out, struct td_error *err);
/* The next piece: *len bytes at *offset into `buffer` (TD_READ_SIZE, aligned); *hole: nothing was read, the piece (of
 * any length) is a hole. 1: a piece, 0: the end, negative errno. */
int td_medium_next(struct td_medium *medium, void *buffer, uint64_t *offset, uint64_t *len, bool *hole);
/* Has the file changed since it was opened (size, mtime, ctime)? 1, 0 or negative errno. */
int td_medium_changed(const struct td_medium *medium);
void td_medium_close(struct td_medium *medium); /* drops what the fallback left in the cache */

void *td_buffer_new(size_t size); /* aligned; NULL when out of memory; free() */

struct td_hash_result {
    int error;     /* 0, or the errno of the failure */
    bool changing; /* it changed while it was read, each of three times: error is 0, and hash is zeros */
    uint8_t hash[TD_HASH_LEN];
    uint64_t bytes;
    struct stat stat; /* of what was read; valid when error is 0 */
};

/* Read and hash, beginning anew when the file changes meanwhile, at most 3 times. `buffer` of TD_READ_SIZE, aligned. */
void td_hash_file(int root, const char *path, void *buffer, struct td_hash_result *out);

/* The same for somebody who watches: `tick` is called after every piece with the bytes read so far; a negative errno
 * from it ends the reading with that error. */
struct td_hash_watch {
    int (*tick)(void *ctx, uint64_t bytes);
    void *ctx;
    struct td_digest *digest; /* to use; NULL: one is made, which for small files takes longer than the hashing */
};
void td_hash_file_watched(int root, const char *path, void *buffer, const struct td_hash_watch *watch,
                          struct td_hash_result *out);

/* The same for `size` bytes at `place` (a multiple of TD_ALIGN) of a block device open for direct reading; no stat. */
void td_hash_stretch(int device, uint64_t place, uint64_t size, void *buffer, const struct td_hash_watch *watch,
                     struct td_hash_result *out);

#endif
