#include "twindock/base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int plain_ioctl(int fd, unsigned long request, void *argument) {
    return ioctl(fd, request, argument);
}

const struct td_sys td_libc = {
    .pread = pread,
    .pwrite = pwrite,
    .fsync = fsync,
    .syncfs = syncfs,
    .renameat2 = renameat2,
    .linkat = linkat,
    .unlinkat = unlinkat,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .ioctl = plain_ioctl,
};

struct td_sys td_sys = {
    .pread = pread,
    .pwrite = pwrite,
    .fsync = fsync,
    .syncfs = syncfs,
    .renameat2 = renameat2,
    .linkat = linkat,
    .unlinkat = unlinkat,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .ioctl = plain_ioctl,
};
