#include "twindock/base/beneath.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP (O_PATH | O_DIRECTORY)
#define TRIES 1000 /* a lease on a file opened with O_NONBLOCK gives EAGAIN, too: that one stays */

/* One openat2(2). `path` is shorter than PATH_MAX. */
static int open_piece(int root, const char *path, int flags, mode_t mode) {
    /* RESOLVE_NO_SYMLINKS refuses them all. O_NOFOLLOW besides lets O_PATH open a symlink itself, but with O_DIRECTORY
     * it would turn the ELOOP into ENOTDIR. */
    flags = flags & O_DIRECTORY ? flags & ~O_NOFOLLOW : flags | O_NOFOLLOW;
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        /* The kernel refuses a mode where nothing can be made. */
        .mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode & 07777 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        /* EAGAIN: something was renamed or mounted meanwhile and the kernel could not vouch for the walk. */
        if (errno != EINTR && (errno != EAGAIN || tries >= TRIES))
            return -errno;
    }
}

/* Open the first `len` bytes of `path`, in as many pieces as it takes. */
static int open_below(int root, const char *path, size_t len, int flags, mode_t mode) {
    TD_AUTOCLOSE int step = -1;
    char piece[PATH_MAX];
    while (len >= sizeof(piece)) {
        const char *slash = memrchr(path, '/', sizeof(piece));
        if (!slash)
            return -ENAMETOOLONG;
        if (slash == path)
            return -EXDEV; /* what the kernel says to an absolute path */
        size_t part = (size_t)(slash - path);
        memcpy(piece, path, part);
        piece[part] = '\0';
        int next = open_piece(step < 0 ? root : step, piece, STEP, 0);
        if (next < 0)
            return next;
        td_cleanup_fd(&step);
        step = next;
        path += part + 1;
        len -= part + 1;
    }
    memcpy(piece, path, len);
    piece[len] = '\0';
    return open_piece(step < 0 ? root : step, piece, flags, mode);
}

int td_open_beneath(int root, const char *path, int flags, mode_t mode) {
    return open_below(root, path, strlen(path), flags, mode);
}

int td_open_parent(int root, const char *path, const char **name) {
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
        return -EINVAL;
    if (slash == path)
        return -EXDEV;
    return open_below(root, path, slash ? (size_t)(slash - path) : 0, O_RDONLY | O_DIRECTORY, 0);
}

/* Open the directory `name` in `dir`, making it if it is missing. */
static int step_into(int dir, const char *name) {
    int fd = open_piece(dir, name, STEP, 0);
    if (fd != -ENOENT)
        return fd;
    if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    return open_piece(dir, name, STEP, 0);
}

int td_make_parents(int root, const char *path) {
    const char *end = strrchr(path, '/');
    if (!end)
        return 0;
    int fd = open_below(root, path, (size_t)(end - path), STEP, 0);
    if (fd != -ENOENT) {
        td_cleanup_fd(&fd);
        return fd < 0 ? fd : 0;
    }
    TD_AUTOCLOSE int step = -1;
    while (path < end) {
        char name[NAME_MAX + 1];
        size_t len = (size_t)(strchrnul(path, '/') - path);
        if (len >= sizeof(name))
            return -ENAMETOOLONG;
        memcpy(name, path, len);
        name[len] = '\0';
        int next = step_into(step < 0 ? root : step, name);
        if (next < 0)
            return next;
        td_cleanup_fd(&step);
        step = next;
        path += len + 1;
    }
    return 0;
}
