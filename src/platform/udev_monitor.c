#include "twindock/platform/udev_monitor.h"

#include <errno.h>
#include <libudev.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define CONTROL "/run/udev/control" /* udevd's socket */

struct td_udev_monitor {
    struct udev *udev;
    struct udev_monitor *monitor;
};

void td_udev_monitor_close(struct td_udev_monitor *monitor) {
    if (monitor == NULL)
        return;
    udev_monitor_unref(monitor->monitor);
    udev_unref(monitor->udev);
    free(monitor);
}

static int open_monitor(struct td_udev_monitor *out) {
    out->udev = udev_new();
    out->monitor = out->udev != NULL ? udev_monitor_new_from_netlink(out->udev, "udev") : NULL;
    if (out->monitor == NULL)
        return -ENOMEM;
    int rc = udev_monitor_filter_add_match_subsystem_devtype(out->monitor, "block", NULL);
    return rc < 0 ? rc : udev_monitor_enable_receiving(out->monitor);
}

int td_udev_monitor_open(struct td_udev_monitor **out, struct td_error *err) {
    *out = NULL;
    if (access(CONTROL, F_OK) != 0)
        return -ENOENT;
    struct td_udev_monitor *monitor = calloc(1, sizeof *monitor);
    int rc = monitor != NULL ? open_monitor(monitor) : -ENOMEM;
    if (rc < 0) {
        td_udev_monitor_close(monitor);
        return td_fail(err, -rc, "cannot listen to udevd");
    }
    *out = monitor;
    return 0;
}

int td_udev_monitor_wait(struct td_udev_monitor *monitor, int timeout_ms) {
    struct pollfd news = {.fd = monitor != NULL ? udev_monitor_get_fd(monitor->monitor) : -1, .events = POLLIN};
    int heard = 0;
    if (poll(&news, 1, timeout_ms) <= 0 || monitor == NULL)
        return 0;
    for (struct udev_device *device; (device = udev_monitor_receive_device(monitor->monitor)) != NULL; heard = 1)
        udev_device_unref(device);
    return heard;
}
