#include "twindock/platform/mount.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/platform/ext4.h"
#include "twindock/platform/write_protection.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

/* Documentation/filesystems/ext4/journal.rst; since Linux 5.14, not in every distribution's headers. */
#ifndef EXT4_IOC_CHECKPOINT
#define EXT4_IOC_CHECKPOINT _IOW('f', 43, __u32)
#endif

/* A mount or repair that has just ended may hold the device for a moment longer. */
#define FREE_WAIT_MS 2000

enum when { ALWAYS, WHEN_RO, WHEN_RW };

/*
 * Every option that the superblock may carry and that matters is said aloud, because what is said wins over what is
 * stored. ext4_parse.c refuses stored options that cannot be answered so.
 */
static const struct option {
    const char *key;
    const char *value; /* NULL: a flag */
    enum when when;
} options[] = {
    {"ro", NULL, WHEN_RO},
    {"noload", NULL, WHEN_RO}, /* no journal, so `data` would be refused */
    {"data", "ordered", WHEN_RW},
    {"errors", "remount-ro", ALWAYS},
    {"barrier", NULL, ALWAYS},
    {"commit", "5", ALWAYS}, /* a stored other value makes noload fail */
    {"nogrpid", NULL, ALWAYS},
    {"noquota", NULL, ALWAYS},
    {"bsddf", NULL, ALWAYS},          /* statfs without the overhead */
    {"max_dir_size_kb", "0", ALWAYS}, /* no limit */
    /* Since Linux 5.13. All bitmaps would be read in the background, a way for the head for each, in the middle of the
     * proof; a run that writes much reads those that it needs. */
    {"no_prefetch_block_bitmaps", NULL, WHEN_RW},
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

/* The kernel says why in lines on the context, "e text", one for each read. */
static void collect_context(int context, struct td_buf *why) {
    char line[1024];
    ssize_t got;
    while ((got = read(context, line, sizeof line)) > 0) {
        size_t len = (size_t)got;
        while (len > 0 && line[len - 1] == '\n')
            len--;
        size_t skip = len > 2 && line[1] == ' ' ? 2 : 0;
        td_buf_puts(why, why->len ? "; " : "");
        td_buf_add(why, line + skip, len - skip);
    }
}

/* ext4 says most of it in the kernel log alone: the last thing it said there about this device since `log` was
 * opened. A record is "priority,sequence,time,flags;text\n" (Documentation/ABI/testing/dev-kmsg). */
static void collect_log(int log, const char *sysname, struct td_buf *why) {
    char record[8192], marker[TD_NODE_MAX + 16];
    snprintf(marker, sizeof marker, "EXT4-fs (%s): ", sysname);
    for (;;) {
        ssize_t got = read(log, record, sizeof record - 1);
        if (got < 0 && (errno == EPIPE || errno == EINTR))
            continue; /* EPIPE: records were overwritten, go on with the next */
        if (got <= 0)
            return;
        record[got] = '\0';
        record[strcspn(record, "\n")] = '\0';
        const char *text = strstr(record, marker);
        if (text) {
            td_buf_clear(why);
            td_buf_puts(why, text + strlen(marker));
        }
    }
}

/* The kernel's log from now on; -1 where it cannot be read, and then it is done without. */
static int open_log(void) {
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        lseek(fd, 0, SEEK_END);
    return fd;
}

static int refuse(int context, int log, const struct td_blockdev *device, int errnum, struct td_error *err) {
    TD_AUTOBUF struct td_buf why = {0};
    collect_context(context, &why);
    if (why.len == 0 && log >= 0)
        collect_log(log, device->sysname, &why);
    if (errnum == EACCES || errnum == EROFS)
        return td_fail_text(err, errnum, "cannot mount %s: the device is write-protected", device->node);
    if (why.len > 0)
        return td_fail(err, errnum, "cannot mount %s (the kernel says: %s)", device->node, td_buf_text(&why));
    return td_fail(err, errnum, "cannot mount %s", device->node);
}

static int configure(int context, const char *node, bool read_only) {
    if (fsconfig(context, FSCONFIG_SET_STRING, "source", node, 0) < 0)
        return -errno;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        if (option->when != ALWAYS && (option->when == WHEN_RO) != read_only)
            continue;
        unsigned command = option->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        if (fsconfig(context, command, option->key, option->value, 0) < 0)
            return -errno;
    }
    return fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int create(const struct td_blockdev *device, bool read_only, struct td_error *err) {
    TD_AUTOCLOSE int log = open_log();
    TD_AUTOCLOSE int context = fsopen("ext4", FSOPEN_CLOEXEC);
    if (context < 0)
        return td_fail(err, errno, "cannot mount %s: no ext4 in this kernel", device->node);
    int rc = configure(context, device->node, read_only);
    if (rc < 0)
        return refuse(context, log, device, -rc, err);
    unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW |
                          MOUNT_ATTR_NOATIME | (read_only ? MOUNT_ATTR_RDONLY : 0);
    int mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    return mount < 0 ? refuse(context, log, device, errno, err) : mount;
}

static int mount_ext4(const struct td_blockdev *device, bool read_only, struct td_error *err) {
    TD_AUTOCLOSE int mount = create(device, read_only, err);
    if (mount < 0)
        return mount;
    TD_AUTOCLOSE int root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (root < 0 || fstat(root, &st) < 0)
        return td_fail(err, errno, "cannot open the root directory of %s", device->node);
    if (st.st_dev != device->number)
        return td_fail_text(err, ENODEV, "%s turned into another device while it was mounted", device->node);
    return td_take_fd(&root);
}

static int prepare(const struct td_blockdev *device, struct td_error *err) {
    /* A device mounted elsewhere would be shared, with that mount's options, not ours. */
    int rc = td_blockdev_wait_free(device->node, FREE_WAIT_MS, err);
    if (rc < 0)
        return td_wrap(err, rc, "cannot mount %s", device->node);
    td_write_protect_recover(device);
    return 0;
}

int td_mount_ext4(const struct td_blockdev *device, bool read_only, struct td_error *err) {
    __attribute__((cleanup(td_write_protect_end))) struct td_write_protection hold = TD_UNPROTECTED;
    if (read_only)
        return td_mount_read_only(device, &hold, err);
    int rc = prepare(device, err);
    return rc < 0 ? rc : mount_ext4(device, false, err);
}

/*
 * Even "ro,noload" writes: it deletes the files on the orphan list ("orphan cleanup on readonly fs", fs/ext4/orphan.c),
 * and notes in the superblock each fault that is met, when mounting and at any time later (ext4_handle_error,
 * fs/ext4/super.c). It does neither on a device that cannot be written.
 */
int td_mount_read_only(const struct td_blockdev *device, struct td_write_protection *hold, struct td_error *err) {
    *hold = (struct td_write_protection)TD_UNPROTECTED;
    int rc = prepare(device, err);
    if (rc < 0)
        return rc;
    rc = td_write_protect(device, hold);
    if (rc < 0)
        return td_fail(err, -rc, "cannot write-protect %s", device->node);
    int root = mount_ext4(device, true, err);
    if (root < 0)
        td_write_protect_end(hold);
    return root;
}

int td_mount_checkpoint(int root, struct td_error *err) {
    if (td_sys.syncfs(root) < 0)
        return td_fail(err, errno, "cannot write everything out");
    __u32 flags = 0;
    if (ioctl(root, EXT4_IOC_CHECKPOINT, &flags) == 0)
        return 0;
    if (errno == ENOTTY)
        return td_fail_text(err, EOPNOTSUPP, "cannot empty the journal: that needs Linux 5.14 or newer and ext4");
    return td_fail(err, errno, "cannot empty the journal");
}

int td_mount_is_root(int dirfd) {
    struct statx sx;
    if (statx(dirfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &sx) < 0)
        return -errno;
    if (!(sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return -EOPNOTSUPP; /* before Linux 5.8 */
    return (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool td_mount_in_use(dev_t number) {
    bool found = false;
    char *line = NULL;
    size_t room = 0;
    unsigned major_number, minor_number;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && !found && getline(&line, &room, file) > 0)
        found = sscanf(line, "%*d %*d %u:%u ", &major_number, &minor_number) == 2 &&
                makedev(major_number, minor_number) == number;
    if (file != NULL)
        fclose(file);
    free(line);
    return found;
}

int td_mount_space(int fd, uint64_t *total, uint64_t *available, struct td_error *err) {
    struct statvfs fs;
    if (fstatvfs(fd, &fs) < 0)
        return td_fail(err, errno, "cannot ask how much room there is");
    *total = (uint64_t)fs.f_blocks * fs.f_frsize;
    *available = (uint64_t)fs.f_bfree * fs.f_frsize; /* root may use what is reserved */
    return 0;
}
