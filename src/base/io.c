#include "twindock/base/io.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t td_pread_all(int fd, void *data, size_t len, off_t offset) {
    size_t done = 0;
    while (done < len) {
        ssize_t n = td_sys.pread(fd, (char *)data + done, len - done, offset + (off_t)done);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
    return (ssize_t)done;
}

int td_write_all(int fd, const void *data, size_t len) {
    const char *at = data;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n == 0)
            return -EIO; /* never a reason to spin */
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

int td_pwrite_all(int fd, const void *data, size_t len, off_t offset) {
    const char *at = data;
    while (len) {
        ssize_t n = td_sys.pwrite(fd, at, len, offset);
        if (n == 0)
            return -EIO;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
            offset += n;
        }
    }
    return 0;
}

int td_read_small(int dirfd, const char *name, size_t max, struct td_buf *out, struct td_error *err) {
    td_buf_clear(out);
    /* O_NONBLOCK: a fifo put in the file's place must not hang us before fstat tells. */
    TD_AUTOCLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", name);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return td_fail(err, errno, "cannot stat %s", name);
    if (!S_ISREG(st.st_mode))
        return td_fail_text(err, EINVAL, "%s is not a regular file", name);

    /* st_size is a hint at best: files of /proc say 0, those of sysfs a page. */
    char chunk[4096];
    for (;;) {
        ssize_t n = td_pread_all(fd, chunk, sizeof(chunk), (off_t)out->len);
        if (n < 0)
            return td_fail(err, (int)-n, "cannot read %s", name);
        if (n == 0)
            break;
        if ((size_t)n > max - out->len)
            return td_fail(err, EFBIG, "cannot read %s: it has more than %zu bytes", name, max);
        td_buf_add(out, chunk, (size_t)n);
    }
    return 0;
}

static int fill(int dir, const char *name, const void *data, size_t len) {
    TD_AUTOCLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = td_pwrite_all(fd, data, len, 0);
    if (rc < 0)
        return rc;
    if (fchmod(fd, 0644) < 0 || td_sys.fsync(fd) < 0)
        return -errno;
    return 0;
}

int td_replace_small(int dirfd, const char *name, const void *data, size_t len, struct td_error *err) {
    const char *base;
    TD_AUTOCLOSE int dir = td_open_parent(dirfd, name, &base);
    if (dir < 0)
        return td_fail(err, -dir, "cannot open the directory of %s", name);

    /* Always the same name, so that crashes leave one stale file at most, and the next call takes it away. */
    TD_AUTOBUF struct td_buf temporary = {0};
    td_buf_printf(&temporary, ".%s.new", base);
    if (unlinkat(dir, temporary.data, 0) < 0 && errno != ENOENT)
        return td_fail(err, errno, "cannot remove %s", temporary.data);

    int rc = fill(dir, temporary.data, data, len);
    if (rc == 0 && td_sys.renameat2(dir, temporary.data, dir, base, 0) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(dir, temporary.data, 0);
        return td_fail(err, -rc, "cannot write %s", name);
    }
    if (td_sys.fsync(dir) < 0)
        return td_fail(err, errno, "cannot sync the directory of %s", name);
    return 0;
}
