#include "twindock/platform/write_protection.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NOTES "/run/twindock"
#define NAME_MAX_LEN 64

static void name_of(dev_t number, char out[NAME_MAX_LEN]) {
    snprintf(out, NAME_MAX_LEN, NOTES "/protected-%u:%u", major(number), minor(number));
}

/* The note of a device, locked. -1: there is none, it cannot be made, or a living process holds it. */
static int lock_note(dev_t number, int flags) {
    char name[NAME_MAX_LEN];
    struct stat held, named;
    name_of(number, name);
    TD_AUTOCLOSE int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    /* Another process may have taken it away between our opening and our locking it. */
    if (fstat(fd, &held) < 0 || stat(name, &named) < 0 || held.st_ino != named.st_ino || held.st_dev != named.st_dev)
        return -1;
    return td_take_fd(&fd);
}

static bool is_protected(int device) {
    int on = 0;
    return ioctl(device, BLKROGET, &on) == 0 && on != 0;
}

static int set(int device, int on) {
    return ioctl(device, BLKROSET, &on) < 0 ? -errno : 0;
}

static void drop_note(int note, dev_t number) {
    char name[NAME_MAX_LEN];
    if (note < 0)
        return;
    name_of(number, name);
    unlink(name);
    close(note);
}

static int open_device(const struct td_blockdev *device) {
    return open(device->node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int td_write_protect(const struct td_blockdev *device, struct td_write_protection *out) {
    *out = (struct td_write_protection){.device = -1, .note = -1, .number = device->number};
    TD_AUTOCLOSE int fd = open_device(device);
    if (fd < 0)
        return -errno;
    td_write_protect_recover(device);
    if (is_protected(fd))
        return 0;
    if (mkdir(NOTES, 0755) == 0 || errno == EEXIST)
        out->note = lock_note(device->number, O_CREAT);
    int rc = set(fd, 1);
    if (rc < 0) {
        drop_note(out->note, device->number);
        out->note = -1;
        return rc;
    }
    out->device = td_take_fd(&fd);
    return 0;
}

void td_write_protect_end(struct td_write_protection *protection) {
    if (protection->device < 0)
        return;
    (void)set(protection->device, 0);
    close(protection->device);
    drop_note(protection->note, protection->number);
    protection->device = protection->note = -1;
}

void td_write_protect_recover(const struct td_blockdev *device) {
    int note = lock_note(device->number, 0);
    if (note < 0)
        return;
    TD_AUTOCLOSE int fd = open_device(device);
    if (fd >= 0)
        (void)set(fd, 0);
    drop_note(note, device->number);
}
