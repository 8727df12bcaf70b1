/* Hear from udevd when block devices come and go: libudev's monitor. */
#ifndef TWINDOCK_PLATFORM_UDEV_MONITOR_H
#define TWINDOCK_PLATFORM_UDEV_MONITOR_H

#include "twindock/base/error.h"

struct td_udev_monitor;

/* -ENOENT, err untouched: no udevd runs here. */
int td_udev_monitor_open(struct td_udev_monitor **out, struct td_error *err);
void td_udev_monitor_close(struct td_udev_monitor *monitor); /* NULL is allowed */

/* Wait at most `timeout_ms` until udevd has handled an event of a disk or partition, and take all that are there.
 * `monitor` NULL: only wait. 1: there was one; 0: there was none, or a signal came. */
int td_udev_monitor_wait(struct td_udev_monitor *monitor, int timeout_ms);

#endif
