/*
 * The system calls whose failure decides about somebody's data, in a table that tests replace to make
 * them fail. Production code calls through td_sys and never asks whether it is being tested.
 */
#ifndef TWINDOCK_BASE_SYS_H
#define TWINDOCK_BASE_SYS_H

#include <sys/types.h>

struct td_sys {
    ssize_t (*pread)(int fd, void *data, size_t len, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
    int (*fsync)(int fd);
    int (*syncfs)(int fd);
    int (*renameat2)(int olddir, const char *oldname, int newdir, const char *newname, unsigned flags);
    int (*linkat)(int olddir, const char *oldname, int newdir, const char *newname, int flags);
    int (*unlinkat)(int dir, const char *name, int flags);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, int mode, off_t offset, off_t len);
    int (*ioctl)(int fd, unsigned long request, void *argument); /* SG_IO: a question to a drive */
};

extern struct td_sys td_sys;        /* what is called */
extern const struct td_sys td_libc; /* the real ones, to restore */

#endif
