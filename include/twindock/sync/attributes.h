/*
 * Metadata: extended attributes (user, trusted, security, and POSIX ACLs as system.posix_acl_*; other
 * system.* and btrfs.* ones belong to the filesystem and are left out), owners, modes, times.
 */
#ifndef TWINDOCK_SYNC_ATTRIBUTES_H
#define TWINDOCK_SYNC_ATTRIBUTES_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SHA-256 over the attributes of `name` in the directory dirfd (the name itself is not followed; "" with a
 * directory's own fd means that directory), sorted by name, each as name NUL, length as 8 bytes little endian, value.
 * Zeros when there are none. 0 or a negative errno. Works through /proc/self/fd. */
int td_xattr_digest(int dirfd, const char *name, uint8_t out[TD_HASH_LEN]);

/* Make the attributes of dst equal to those of src, other ones removed. ENOTSUP on the destination is an error. */
int td_xattr_copy(int srcdir, const char *src, int dstdir, const char *dst, struct td_error *err);

/* What a filesystem could not take of an entry's attributes. */
struct td_unkept {
    int error;      /* of the first extended attribute that did not fit: ENOSPC, E2BIG, ERANGE or ENOTSUP; 0: all did */
    char name[256]; /* its name */
    size_t size;    /* and the bytes of its value */
    size_t others;  /* that did not fit either */
    bool time;      /* it has kept the mtime as the end of what it can keep: `kept` */
    struct timespec kept;
};

/* Owner, xattrs from src, mode, mtime: in the order that keeps set-id bits, capabilities and ACLs. */
int td_attributes_apply(const struct td_entry *entry, int srcdir, const char *src, int dstdir, const char *dst,
                        struct td_error *err);
/* The same, but an extended attribute that does not fit is left out (an old value of it, too), and told in *unkept. */
int td_attributes_apply_fitting(const struct td_entry *entry, int srcdir, const char *src, int dstdir, const char *dst,
                                struct td_unkept *unkept, struct td_error *err);

/* Has src every attribute that dst has, with the same value? 1, 0, or a negative errno. */
int td_xattr_covers(int srcdir, const char *src, int dstdir, const char *dst);

/* Fill an entry (without path; target is malloc'ed for symlinks, owned by the caller) from `name` in dirfd.
 * "" describes dirfd itself. 0 or a negative errno. */
int td_entry_read(int dirfd, const char *name, struct td_entry *out);

/* When the inode that `name` in dirfd stands for came to be. 0, -ENOTSUP where the filesystem does not tell, or another
 * negative errno. */
int td_entry_birth(int dirfd, const char *name, struct timespec *out);

#endif
