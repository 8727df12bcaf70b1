#include "twindock/platform/udev.h"

#include "twindock/base/clock.h"

#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_MS 50

static void free_udev(struct udev *const *udev) {
    udev_unref(*udev); /* all of these take NULL */
}

static void free_device(struct udev_device *const *device) {
    udev_device_unref(*device);
}

static void free_enumerate(struct udev_enumerate *const *enumerate) {
    udev_enumerate_unref(*enumerate);
}

static void free_queue(struct udev_queue *const *queue) {
    udev_queue_unref(*queue);
}

#define AUTO(release) __attribute__((cleanup(release)))

/* libudev returns NULL with an errno set, sometimes without. */
static int last_errno(void) {
    return errno > 0 ? errno : EIO;
}

/* udev knows some places by two names, and makes a link in /dev/disk/by-path for each: either will do. */
static bool has_place(struct udev_device *device, const char *id_path) {
    static const char *const names[] = {"ID_PATH", "ID_PATH_ATA_COMPAT", "ID_PATH_WITH_USB_REVISION"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = udev_device_get_property_value(device, names[i]);
        if (path && strcmp(path, id_path) == 0)
            return true;
    }
    return false;
}

/* The number of the whole disk at a syspath if it really has this ID_PATH (the match below is a glob). */
static dev_t disk_at(struct udev *udev, const char *syspath, const char *id_path) {
    AUTO(free_device) struct udev_device *device = udev_device_new_from_syspath(udev, syspath);
    if (!device)
        return 0; /* pulled out meanwhile */
    const char *type = udev_device_get_devtype(device);
    if (!type || strcmp(type, "disk") != 0 || !has_place(device, id_path))
        return 0;
    return udev_device_get_devnum(device);
}

/* 0 and *number (0: none), or an error. Two disks at one place must never be told apart by chance. */
static int find_number(struct udev *udev, const char *id_path, dev_t *number, struct td_error *err) {
    *number = 0;
    errno = 0;
    AUTO(free_enumerate) struct udev_enumerate *list = udev_enumerate_new(udev);
    if (!list)
        return td_fail(err, last_errno(), "cannot list block devices");
    /* Properties are not matched here: several would be OR-ed, and a value would be a glob. */
    int rc = udev_enumerate_add_match_subsystem(list, "block");
    if (rc >= 0)
        rc = udev_enumerate_scan_devices(list);
    if (rc < 0)
        return rc == -ENOENT ? 0 : td_fail(err, -rc, "cannot list block devices");
    struct udev_list_entry *entry;
    udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(list)) {
        dev_t found = disk_at(udev, udev_list_entry_get_name(entry), id_path);
        if (!found)
            continue;
        if (*number)
            return td_fail_text(err, ENOTUNIQ, "udev reports two disks at ID_PATH %s", id_path);
        *number = found;
    }
    return 0;
}

int td_udev_find_path(const char *id_path, struct td_blockdev *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    errno = 0;
    AUTO(free_udev) struct udev *udev = udev_new();
    if (!udev)
        return td_fail(err, last_errno(), "cannot ask udev");
    dev_t number;
    int rc = find_number(udev, id_path, &number, err);
    if (rc < 0)
        return rc;
    if (!number)
        return -ENOENT;
    struct td_error why = {0};
    rc = td_blockdev_from_number(number, out, &why);
    if (rc == -ENOENT || rc == -ENXIO)
        return -ENOENT; /* pulled out between the two looks */
    if (rc < 0 && err)
        *err = why;
    return rc;
}

static void take_property(struct udev_device *device, const char *name, char *out, size_t size) {
    const char *value = udev_device_get_property_value(device, name);
    if (value)
        snprintf(out, size, "%s", value);
}

int td_udev_properties(dev_t number, struct td_udev_properties *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    errno = 0;
    AUTO(free_udev) struct udev *udev = udev_new();
    if (!udev)
        return td_fail(err, last_errno(), "cannot ask udev");
    AUTO(free_device) struct udev_device *device = udev_device_new_from_devnum(udev, 'b', number);
    if (!device)
        return 0; /* the kernel does not know it, so udev knows nothing about it */
    take_property(device, "ID_PATH", out->id_path, sizeof out->id_path);
    take_property(device, "ID_SERIAL_SHORT", out->serial, sizeof out->serial);
    take_property(device, "ID_WWN", out->wwn, sizeof out->wwn);
    take_property(device, "ID_WWN_WITH_EXTENSION", out->wwn, sizeof out->wwn); /* the longer one wins */
    take_property(device, "ID_MODEL", out->model, sizeof out->model);
    return 0;
}

/* The disk at a syspath, if it is one that counts. 1: it is, 0: it is not. */
static int describe_disk(struct udev *udev, const char *syspath, bool named, struct td_udev_disk *out) {
    AUTO(free_device) struct udev_device *device = udev_device_new_from_syspath(udev, syspath);
    memset(out, 0, sizeof *out);
    if (!device)
        return 0; /* pulled out meanwhile */
    const char *type = udev_device_get_devtype(device);
    if (!type || strcmp(type, "disk") != 0)
        return 0;
    take_property(device, "ID_PATH", out->id_path, sizeof out->id_path);
    if (named && (out->id_path[0] == '\0' || udev_device_get_is_initialized(device) <= 0))
        return 0;
    return td_blockdev_from_number(udev_device_get_devnum(device), &out->disk, NULL) == 0 && out->disk.size > 0;
}

static bool is_udevd_here(struct udev *udev) {
    AUTO(free_queue) struct udev_queue *queue = udev_queue_new(udev);
    return queue && udev_queue_get_udev_is_active(queue);
}

static int add_disk(struct td_udev_disk **list, size_t *count, const struct td_udev_disk *disk) {
    struct td_udev_disk *grown = reallocarray(*list, *count + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    grown[(*count)++] = *disk;
    *list = grown;
    return 0;
}

int td_udev_disks(struct td_udev_disk **out, size_t *count, struct td_error *err) {
    *out = NULL;
    *count = 0;
    errno = 0;
    AUTO(free_udev) struct udev *udev = udev_new();
    AUTO(free_enumerate) struct udev_enumerate *list = udev ? udev_enumerate_new(udev) : NULL;
    if (!list)
        return td_fail(err, last_errno(), "cannot list block devices");
    int rc = udev_enumerate_add_match_subsystem(list, "block");
    if (rc >= 0)
        rc = udev_enumerate_scan_devices(list);
    if (rc < 0)
        return rc == -ENOENT ? 0 : td_fail(err, -rc, "cannot list block devices");
    bool named = is_udevd_here(udev);
    struct udev_list_entry *entry;
    udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(list)) {
        struct td_udev_disk disk;
        if (!describe_disk(udev, udev_list_entry_get_name(entry), named, &disk))
            continue;
        if (add_disk(out, count, &disk) < 0) {
            free(*out);
            *out = NULL;
            return td_fail(err, ENOMEM, "cannot list block devices");
        }
    }
    return 0;
}

int td_udev_settle(int timeout_ms) {
    AUTO(free_udev) struct udev *udev = udev_new();
    AUTO(free_queue) struct udev_queue *queue = udev ? udev_queue_new(udev) : NULL;
    if (!queue)
        return -ENOMEM;
    int64_t deadline = td_boot_ns() + timeout_ms * INT64_C(1000000);
    while (udev_queue_get_udev_is_active(queue) && !udev_queue_get_queue_is_empty(queue)) {
        if (td_boot_ns() >= deadline)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    return 0;
}
