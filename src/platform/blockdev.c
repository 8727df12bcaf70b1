#include "twindock/platform/blockdev.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512 /* sysfs counts in these, whatever the drive's own sectors are */
#define SYSFS_MAX 4096
#define LOCK_WAIT_MS 5000
#define STEP_MS 50

static void pause_ms(int ms) {
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&span, NULL);
}

/* False when the text does not fit. */
static bool copy_text(char *out, size_t size, const char *text) {
    size_t len = strlen(text);
    if (len >= size)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static int open_sysfs(dev_t number) {
    char path[64];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(number), minor(number));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The number in a sysfs attribute; `absent` when there is none. */
static uint64_t read_number(int dir, const char *name, uint64_t absent) {
    TD_AUTOBUF struct td_buf text = {0};
    if (td_read_small(dir, name, SYSFS_MAX, &text, NULL) < 0)
        return absent;
    char *end;
    errno = 0;
    uint64_t value = strtoull(td_buf_text(&text), &end, 10);
    return errno || end == td_buf_text(&text) ? absent : value;
}

/* The "8:17" in an attribute `dev`; 0 when it is none. */
static dev_t read_dev(int dir) {
    TD_AUTOBUF struct td_buf text = {0};
    unsigned high, low;
    if (td_read_small(dir, "dev", SYSFS_MAX, &text, NULL) < 0 || sscanf(td_buf_text(&text), "%u:%u", &high, &low) != 2)
        return 0;
    return makedev(high, low);
}

/* The name below /dev, from `uevent`: it is not always the sysfs name ("cciss!c0d0" is /dev/cciss/c0d0). */
static bool read_node(int dir, char out[TD_NODE_MAX]) {
    TD_AUTOBUF struct td_buf text = {0};
    if (td_read_small(dir, "uevent", SYSFS_MAX, &text, NULL) < 0 || !text.data)
        return false;
    for (char *line = text.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "DEVNAME=", 8) == 0)
            return snprintf(out, TD_NODE_MAX, "/dev/%.*s", (int)strcspn(line + 8, "\n"), line + 8) < TD_NODE_MAX;
    }
    return false;
}

/* What sysfs says about the device whose directory is `dir` and whose real path is `path`; not the node. */
static int describe(int dir, char *path, struct td_blockdev *out) {
    char *name = strrchr(path, '/');
    if (!name || !copy_text(out->sysname, sizeof out->sysname, name + 1))
        return -ENAMETOOLONG;
    TD_AUTOCLOSE int up = -1;
    int disk = dir;
    if (faccessat(dir, "partition", F_OK, 0) == 0) {
        /* A partition's directory lies in its disk's. */
        up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (up < 0)
            return -errno;
        disk = up;
        *name = '\0';
        name = strrchr(path, '/');
        if (!name)
            return -EINVAL;
    }
    if (!copy_text(out->disk, sizeof out->disk, name + 1))
        return -ENAMETOOLONG;
    out->number = read_dev(dir);
    out->disk_number = read_dev(disk);
    if (!out->number || !out->disk_number)
        return -ENXIO; /* gone while we looked */
    out->size = read_number(dir, "size", 0) * SECTOR;
    out->diskseq = read_number(disk, "diskseq", 0);
    out->rotational = read_number(disk, "queue/rotational", 0) == 1;
    return 0;
}

static int from_sysfs(dev_t number, struct td_blockdev *out, int *dir) {
    *dir = open_sysfs(number);
    if (*dir < 0)
        return *dir == -ENOENT ? -ENXIO : *dir;
    char link[64];
    snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(number), minor(number));
    TD_AUTOFREE char *path = realpath(link, NULL);
    if (!path)
        return errno == ENOENT ? -ENXIO : -errno;
    return describe(*dir, path, out);
}

int td_blockdev_from_node(const char *node, struct td_blockdev *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    TD_AUTOFREE char *path = realpath(node, NULL);
    struct stat st;
    if (!path || stat(path, &st) < 0)
        return td_fail(err, errno, "cannot find the device %s", node);
    if (!S_ISBLK(st.st_mode))
        return td_fail_text(err, ENOTBLK, "%s is not a block device", node);
    if (!copy_text(out->node, sizeof out->node, path))
        return td_fail(err, ENAMETOOLONG, "cannot use the device %s", node);
    TD_AUTOCLOSE int dir = -1;
    int rc = from_sysfs(st.st_rdev, out, &dir);
    if (rc < 0)
        return td_fail(err, -rc, "cannot look up the device behind %s", node);
    return 0;
}

int td_blockdev_from_number(dev_t number, struct td_blockdev *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    TD_AUTOCLOSE int dir = -1;
    int rc = from_sysfs(number, out, &dir);
    if (rc < 0)
        return td_fail(err, -rc, "cannot look up the block device %u:%u", major(number), minor(number));
    struct stat st;
    if (!read_node(dir, out->node))
        return td_fail_text(err, ENOENT, "the kernel gives no node for the block device %s", out->sysname);
    if (stat(out->node, &st) < 0)
        return td_fail(err, errno, "cannot find the node %s", out->node);
    /* A node left by somebody else's mknod must not pass for the device. */
    if (!S_ISBLK(st.st_mode) || st.st_rdev != number)
        return td_fail_text(err, ENOENT, "%s is not the node of the block device %u:%u", out->node, major(number),
                            minor(number));
    return 0;
}

static int by_partition_number(const struct dirent **a, const struct dirent **b) {
    /* "sda2" before "sda10": the common prefix makes this the order of the numbers. */
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static void free_names(struct dirent **names, int count) {
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

int td_blockdev_partitions(const struct td_blockdev *disk, struct td_blockdev *out, int max, struct td_error *err) {
    TD_AUTOCLOSE int dir = open_sysfs(disk->disk_number);
    if (dir < 0)
        return td_fail(err, dir == -ENOENT ? ENXIO : -dir, "cannot look for partitions of %s", disk->node);
    struct dirent **names;
    int count = scandirat(dir, ".", &names, NULL, by_partition_number);
    if (count < 0)
        return td_fail(err, errno, "cannot look for partitions of %s", disk->node);
    int found = 0;
    for (int i = 0; i < count && found < max; i++) {
        if (names[i]->d_name[0] == '.' || names[i]->d_type != DT_DIR)
            continue;
        TD_AUTOCLOSE int sub = openat(dir, names[i]->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (sub < 0 || faccessat(sub, "partition", F_OK, 0) != 0)
            continue;
        /* One that vanishes meanwhile, or has no node, cannot be read; the others still count. */
        if (td_blockdev_from_number(read_dev(sub), &out[found], NULL) == 0)
            found++;
    }
    free_names(names, count);
    return found;
}

int td_blockdev_lock(const char *node, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", node);
    int64_t deadline = td_boot_ns() + LOCK_WAIT_MS * INT64_C(1000000);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return td_fail(err, errno, "cannot lock %s", node);
        if (td_boot_ns() >= deadline)
            return td_fail_text(err, EBUSY, "another program holds the lock on %s", node);
        pause_ms(STEP_MS);
    }
    return td_take_fd(&fd);
}

/* 0: the kernel does not say. */
static uint64_t open_diskseq(int fd) {
    uint64_t seq = 0;
#ifdef BLKGETDISKSEQ
    if (ioctl(fd, BLKGETDISKSEQ, &seq) < 0)
        seq = 0;
#endif
    return seq;
}

int td_blockdev_check_open(int fd, const struct td_blockdev *device, struct td_error *err) {
    struct stat st;
    uint64_t size = 0;
    if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || ioctl(fd, BLKGETSIZE64, &size) < 0)
        return td_fail_text(err, ENXIO, "%s is gone", device->node);
    uint64_t seq = open_diskseq(fd);
    bool same = st.st_rdev == device->number && size == device->size;
    if (!same || (seq != 0 && device->diskseq != 0 && seq != device->diskseq))
        return td_fail_text(err, ENXIO, "%s is another disk than a moment ago", device->node);
    return 0;
}

int td_blockdev_wait_free(const char *node, int timeout_ms, struct td_error *err) {
    int64_t deadline = td_boot_ns() + timeout_ms * INT64_C(1000000);
    for (;;) {
        int fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (errno != EBUSY && errno != EINTR)
            return td_fail(err, errno, "cannot open %s", node);
        if (td_boot_ns() >= deadline)
            return td_fail_text(err, EBUSY, "%s is in use by something else (mounted, perhaps)", node);
        pause_ms(STEP_MS);
    }
}

int td_blockdev_is_protected(const char *node) {
    TD_AUTOCLOSE int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int on = 0;
    if (fd < 0 || ioctl(fd, BLKROGET, &on) < 0)
        return -errno;
    return on != 0;
}
