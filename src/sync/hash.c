/*
 * Reading from the medium, and SHA-256 over it.
 *
 * A page cache hides what has happened to the bytes below it, so files are read with O_DIRECT. Some filesystems
 * accept that flag and still read through the cache, for some files or for all (ext4 with journalled or inline data,
 * btrfs with compression). statx(2) tells since Linux 6.1 (STATX_DIOALIGN); where it says nothing, what is cached is
 * dropped before reading as well.
 */
#include "twindock/sync/hash.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3
#define SECOND_NS INT64_C(1000000000)

static uint64_t align_down(uint64_t n) {
    return n & ~(uint64_t)(TD_ALIGN - 1);
}

static uint64_t align_up(uint64_t n) {
    return align_down(n + TD_ALIGN - 1);
}

void *td_buffer_new(size_t size) {
    return aligned_alloc(TD_ALIGN, (size_t)align_up(size));
}

/* Does direct reading of this file reach the medium? 1 yes, 0 no, -1 the kernel does not say. */
static int direct_reaches(int fd) {
#ifdef STATX_DIOALIGN
    struct statx sx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) < 0 || !(sx.stx_mask & STATX_DIOALIGN))
        return -1;
    return sx.stx_dio_mem_align > 0 && sx.stx_dio_mem_align <= TD_ALIGN && sx.stx_dio_offset_align <= TD_ALIGN;
#else
    (void)fd;
    return -1;
#endif
}

static int set_direct(int fd, bool direct) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

/* Write out what is dirty, forget what is clean: the next read comes from the medium. */
static int use_fallback(struct td_medium *medium) {
    int rc = medium->direct ? set_direct(medium->fd, false) : 0;
    if (rc < 0)
        return rc;
    medium->direct = false;
    /* Nothing is dirty where nothing can be written, and some filesystems have no fsync. */
    if (td_sys.fsync(medium->fd) < 0 && errno != EROFS && errno != EINVAL && errno != ENOSYS)
        return -errno;
    posix_fadvise(medium->fd, 0, 0, POSIX_FADV_DONTNEED);
    return 0;
}

static int choose_way(struct td_medium *medium) {
    int reaches = direct_reaches(medium->fd);
    if (reaches == 0)
        return use_fallback(medium);
    int rc = set_direct(medium->fd, true);
    if (rc == -EINVAL)
        return use_fallback(medium);
    if (rc < 0)
        return rc;
    medium->direct = true;
    if (reaches < 0)
        posix_fadvise(medium->fd, 0, 0, POSIX_FADV_DONTNEED);
    return 0;
}

/*
 * Times of files advance with the kernel's coarse clock. A write in the same tick as the last one leaves ctime as it
 * is, and would go unnoticed; once the clock shows more than ctime, every later write shows. Filesystems that keep
 * whole seconds (FAT: two) need as much longer. A ctime in the far future (a clock set back) is not waited for.
 */
static int settle(int fd, struct stat *st) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    int64_t ahead = (int64_t)st->st_ctim.tv_sec - now.tv_sec;
    if (ahead < -2 || ahead > 2)
        return 0;
    int64_t grain = st->st_ctim.tv_nsec == 0 ? 2 * SECOND_NS : 1;
    int64_t wait = ahead * SECOND_NS + st->st_ctim.tv_nsec - now.tv_nsec + grain;
    if (wait <= 0)
        return 0;
    wait += 11000000; /* a tick is at most 10 ms */
    struct timespec span = {.tv_sec = wait / SECOND_NS, .tv_nsec = wait % SECOND_NS};
    nanosleep(&span, NULL);
    return fstat(fd, st) < 0 ? -errno : 0;
}

int td_medium_attach(int fd, struct td_medium *out, struct td_error *err) {
    *out = (struct td_medium){.fd = fd};
    int rc = fstat(fd, &out->before) < 0 ? -errno : 0;
    if (rc == 0 && !S_ISREG(out->before.st_mode))
        rc = -EINVAL;
    if (rc == 0)
        rc = settle(fd, &out->before);
    if (rc == 0)
        rc = choose_way(out);
    if (rc < 0) {
        close(fd);
        out->fd = -1;
        return td_fail(err, -rc, "cannot read from the medium");
    }
    out->size = (uint64_t)out->before.st_size;
    return 0;
}

int td_medium_open(int root, const char *path, struct td_medium *out, struct td_error *err) {
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY; /* never hang on a fifo that has taken the file's place */
    *out = (struct td_medium){.fd = -1};
    int fd = root < 0 ? -ENOENT : td_open_beneath(root, path, flags | O_NOATIME, 0);
    if (fd == -EPERM) /* another owner's file, and we are not root */
        fd = td_open_beneath(root, path, flags, 0);
    if (fd == -EAGAIN) /* somebody holds a lease: it is a file, and the kernel asks for it back */
        fd = td_open_beneath(root, path, flags & ~O_NONBLOCK, 0);
    if (fd < 0)
        return td_fail(err, -fd, "cannot open %s", path);
    return td_wrap(err, td_medium_attach(fd, out, err), "%s", path);
}

void td_medium_close(struct td_medium *medium) {
    if (medium->fd < 0)
        return;
    if (!medium->direct)
        posix_fadvise(medium->fd, 0, 0, POSIX_FADV_DONTNEED);
    close(medium->fd);
    medium->fd = -1;
}

/* Find the next data segment at or after offset: [*data, medium->data_end), both aligned outward so that direct reads
 * may begin and end there. A filesystem without SEEK_DATA is one segment. */
static int find_data(struct td_medium *medium, uint64_t *data) {
    if ((uint64_t)medium->before.st_blocks * 512 >= medium->size) { /* no holes: nearly every file */
        *data = medium->offset;
        medium->data_end = medium->size;
        return 0;
    }
    off_t from = lseek(medium->fd, (off_t)medium->offset, SEEK_DATA);
    if (from < 0 && errno == ENXIO) { /* a hole to the end */
        *data = medium->data_end = medium->size;
        return 0;
    }
    if (from < 0 && errno != EINVAL && errno != EOPNOTSUPP)
        return -errno;
    off_t to = from < 0 ? -1 : lseek(medium->fd, from, SEEK_HOLE);
    *data = from < 0 ? medium->offset : align_down((uint64_t)from);
    if (*data < medium->offset)
        *data = medium->offset;
    if (*data > medium->size)
        *data = medium->size;
    medium->data_end = to <= from ? medium->size : align_up((uint64_t)to);
    if (medium->data_end > medium->size)
        medium->data_end = medium->size;
    return 0;
}

/* One read at the offset. Direct reads that end between two blocks, before the end of the file, are cut to whole
 * blocks, so that the next one begins aligned. */
static ssize_t read_piece(struct td_medium *medium, void *buffer) {
    uint64_t left = medium->data_end - medium->offset;
    size_t want = (size_t)align_up(left < TD_READ_SIZE ? left : TD_READ_SIZE);
    for (;;) {
        ssize_t n = td_sys.pread(medium->fd, buffer, want, (off_t)medium->offset);
        int error = errno;
        if (n < 0 && error == EINTR)
            continue;
        if (n < 0 && error != EINVAL)
            return -error;
        if (n >= 0 && (!medium->direct || medium->offset + (uint64_t)n >= medium->size || n % TD_ALIGN == 0))
            return n;
        if (n >= (ssize_t)TD_ALIGN)
            return (ssize_t)align_down((uint64_t)n);
        if (!medium->direct || medium->strict)
            return -EINVAL;
        int rc = use_fallback(medium); /* refuses direct reads after all, or has no whole block for us */
        if (rc < 0)
            return rc;
    }
}

int td_medium_next(struct td_medium *medium, void *buffer, uint64_t *offset, uint64_t *len, bool *hole) {
    *offset = medium->offset;
    *len = 0;
    *hole = false;
    if (medium->offset >= medium->size)
        return 0;
    if (medium->offset >= medium->data_end) {
        uint64_t data = medium->size;
        int rc = find_data(medium, &data);
        if (rc < 0)
            return rc;
        if (data > medium->offset) {
            *len = data - medium->offset;
            *hole = true;
            medium->offset = data;
            return 1;
        }
    }
    ssize_t n = read_piece(medium, buffer);
    if (n <= 0)
        return (int)n; /* 0: it has been cut off meanwhile */
    *len = (uint64_t)n;
    if (*len > medium->size - medium->offset)
        *len = medium->size - medium->offset; /* it has grown meanwhile */
    medium->offset += *len;
    return 1;
}

static bool same_stat(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && td_same_time(&a->st_mtim, &b->st_mtim) && td_same_time(&a->st_ctim, &b->st_ctim);
}

int td_medium_changed(const struct td_medium *medium) {
    struct stat now;
    if (fstat(medium->fd, &now) < 0)
        return -errno;
    return !same_stat(&medium->before, &now);
}

/* The next piece, read ahead or only now. */
static int next_piece(struct td_medium *medium, struct td_ahead *ahead, void *buffer, const void **data, uint64_t *len,
                      bool *hole) {
    uint64_t offset;
    *data = buffer;
    return ahead ? td_ahead_next(ahead, data, len, hole) : td_medium_next(medium, buffer, &offset, len, hole);
}

/* Read to the end. 0 or a negative errno. */
static int hash_pieces(struct td_medium *medium, struct td_digest *digest, void *buffer,
                       const struct td_hash_watch *watch, uint64_t *bytes) {
    struct td_ahead *ahead = medium->size - medium->offset >= TD_AHEAD_FROM ? td_ahead_start(medium) : NULL;
    const void *data;
    uint64_t len;
    bool hole;
    int more = 1, rc = td_digest_start(digest);
    *bytes = 0;
    while (rc == 0 && (more = next_piece(medium, ahead, buffer, &data, &len, &hole)) > 0) {
        rc = hole ? td_digest_add_zeros(digest, len) : td_digest_add(digest, data, (size_t)len);
        *bytes += len;
        if (rc == 0 && watch && watch->tick)
            rc = watch->tick(watch->ctx, *bytes);
    }
    td_ahead_stop(ahead);
    return rc != 0 ? rc : more;
}

/* One attempt. 1: the file changed meanwhile; 0: `out` is filled; or a negative errno. */
static int hash_once(int root, const char *path, struct td_digest *digest, void *buffer,
                     const struct td_hash_watch *watch, struct td_hash_result *out) {
    struct td_medium medium;
    int rc = td_medium_open(root, path, &medium, NULL);
    if (rc < 0)
        return rc;
    rc = hash_pieces(&medium, digest, buffer, watch, &out->bytes);
    int changed = rc == 0 ? td_medium_changed(&medium) : rc;
    out->stat = medium.before;
    td_medium_close(&medium);
    if (changed != 0)
        return changed;
    if (out->bytes != (uint64_t)out->stat.st_size)
        return -EIO; /* it ends before its size, and has not changed */
    return td_digest_end(digest, out->hash);
}

void td_hash_file_watched(int root, const char *path, void *buffer, const struct td_hash_watch *watch,
                          struct td_hash_result *out) {
    *out = (struct td_hash_result){0};
    struct td_digest *own = watch && watch->digest ? NULL : td_digest_new(NULL);
    struct td_digest *digest = own ? own : watch ? watch->digest : NULL;
    int rc = digest ? 1 : -ENOMEM;
    for (int try = 0; rc > 0 && try < TRIES; try++)
        rc = hash_once(root, path, digest, buffer, watch, out);
    td_digest_free(own);
    out->changing = rc > 0;
    out->error = rc < 0 ? -rc : 0;
    if (rc != 0)
        memset(out->hash, 0, sizeof(out->hash));
}

void td_hash_stretch(int device, uint64_t place, uint64_t size, void *buffer, const struct td_hash_watch *watch,
                     struct td_hash_result *out) {
    struct td_medium medium = {
        .fd = device, .direct = true, .strict = true, .size = place + size, .offset = place, .data_end = place + size};
    *out = (struct td_hash_result){0};
    int rc = hash_pieces(&medium, watch->digest, buffer, watch, &out->bytes);
    if (rc == 0)
        rc = out->bytes == size ? td_digest_end(watch->digest, out->hash) : -EIO;
    out->error = rc < 0 ? -rc : 0;
}

void td_hash_file(int root, const char *path, void *buffer, struct td_hash_result *out) {
    td_hash_file_watched(root, path, buffer, NULL, out);
}
