#include "twindock/base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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
};
