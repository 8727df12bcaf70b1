/* Taking drives away from the machine through sysfs. Documentation/ABI: sysfs-bus-usb (remove), sysfs-block-device. */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/platform/drive_power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define SYSFS "/sys"

static bool has_file(const char *directory, const char *name) {
    TD_AUTOBUF struct td_buf path = {0};
    td_buf_printf(&path, "%s/%s", directory, name);
    return access(path.data, F_OK) == 0;
}

bool td_power_usb_device(const char *sysfs, const char *block, char *out, size_t size) {
    size_t top = strlen(sysfs);
    if (strncmp(block, sysfs, top) != 0 || strlen(block) >= size)
        return false;
    snprintf(out, size, "%s", block);
    for (char *slash; (slash = strrchr(out, '/')) != NULL && (size_t)(slash - out) > top;) {
        *slash = '\0';
        if (has_file(out, "idVendor") && has_file(out, "remove"))
            return true;
    }
    return false;
}

static void close_directory(DIR *const *directory) {
    if (*directory != NULL)
        closedir(*directory);
}

int td_power_count_disks(const char *sysfs, const char *device) {
    TD_AUTOBUF struct td_buf path = {0};
    size_t len = strlen(device);
    int count = 0;
    td_buf_printf(&path, "%s/block", sysfs);
    __attribute__((cleanup(close_directory))) DIR *blocks = opendir(path.data);
    for (struct dirent *entry; blocks != NULL && (entry = readdir(blocks)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        TD_AUTOBUF struct td_buf link = {0};
        td_buf_printf(&link, "%s/block/%s", sysfs, entry->d_name);
        TD_AUTOFREE char *real = realpath(link.data, NULL);
        count += real != NULL && strncmp(real, device, len) == 0 && real[len] == '/';
    }
    return count;
}

static int write_one(const char *directory, const char *name, struct td_error *err) {
    TD_AUTOBUF struct td_buf path = {0};
    td_buf_printf(&path, "%s/%s", directory, name);
    TD_AUTOCLOSE int fd = open(path.data, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) == 1)
        return 0;
    return td_fail(err, errno, "cannot write to %s", path.data);
}

/* The directory of a whole disk in sysfs, resolved. */
static char *find_directory(const struct td_blockdev *disk) {
    char link[64];
    snprintf(link, sizeof link, SYSFS "/dev/block/%u:%u", major(disk->disk_number), minor(disk->disk_number));
    return realpath(link, NULL);
}

/* 1: deleted; 0: a device that cannot be. */
static int delete_disk(const char *directory, struct td_error *err) {
    TD_AUTOBUF struct td_buf device = {0};
    td_buf_printf(&device, "%s/device", directory);
    if (!has_file(device.data, "delete"))
        return 0;
    int rc = write_one(device.data, "delete", err);
    return rc < 0 ? rc : 1;
}

struct drive {
    char *directory;    /* in sysfs; NULL: gone already */
    char usb[PATH_MAX]; /* "" : not on USB */
    int with_it;        /* disks of that USB device */
};

static void describe(const struct td_blockdev *disk, struct drive *drive) {
    drive->directory = find_directory(disk);
    if (drive->directory != NULL && td_power_usb_device(SYSFS, drive->directory, drive->usb, sizeof drive->usb))
        drive->with_it = td_power_count_disks(SYSFS, drive->usb);
    else
        drive->usb[0] = '\0';
}

/* May the USB device of drive `i` be removed: are all its disks among these, and is it still there? */
static bool is_all_ours(const struct drive *drives, size_t count, size_t i) {
    int ours = 0;
    for (size_t k = 0; k < count; k++)
        ours += strcmp(drives[k].usb, drives[i].usb) == 0;
    return drives[i].usb[0] != '\0' && drives[i].with_it <= ours && has_file(drives[i].usb, "remove");
}

static int power_off(struct drive *drives, size_t count, struct td_error *err) {
    int deleted = 0, rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = drives[i].directory != NULL ? delete_disk(drives[i].directory, err) : 0;
        deleted += rc > 0;
    }
    for (size_t i = 0; i < count && rc >= 0; i++)
        if (is_all_ours(drives, count, i))
            rc = write_one(drives[i].usb, "remove", err);
    return rc < 0 ? rc : deleted > 0 ? 0 : -EOPNOTSUPP;
}

int td_drives_power_off(const struct td_blockdev *const *disks, size_t count, struct td_error *err) {
    TD_AUTOFREE struct drive *drives = calloc(count + 1, sizeof *drives);
    if (drives == NULL)
        return td_fail(err, ENOMEM, "powering off");
    for (size_t i = 0; i < count; i++)
        describe(disks[i], &drives[i]);
    int rc = power_off(drives, count, err);
    for (size_t i = 0; i < count; i++)
        free(drives[i].directory);
    return rc;
}
