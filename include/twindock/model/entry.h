/* One thing in a tree, as lstat, readlink and listxattr describe it. */
#ifndef TWINDOCK_MODEL_ENTRY_H
#define TWINDOCK_MODEL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define TD_HASH_LEN 32

/* The three trees of a run. Also array indices and, shifted, bits of a set. */
enum td_side { TD_SOURCE, TD_A, TD_B, TD_SIDES };
#define TD_SIDE_BIT(side) (1U << (side))

struct td_entry {
    const char *path; /* below the collection's root, no leading slash; "" is the root. Any bytes but NUL */
    uint64_t dev, ino;
    uint32_t mode; /* type and permission bits */
    uint32_t uid, gid, nlink;
    uint64_t size;   /* regular files: bytes; else 0 */
    uint64_t blocks; /* 512-byte sectors allocated */
    struct timespec mtime, ctime;
    uint64_t rdev;               /* character and block devices */
    const char *target;          /* symlinks: where they point; else NULL */
    uint8_t xattrs[TD_HASH_LEN]; /* SHA-256 over the sorted extended attributes (ACLs included); zeros: none */
    uint64_t place; /* regular files: where their data begins on the device, in bytes; 0: nowhere, unknown */
    bool whole;     /* at `place` lies all of it, in one piece, as it is */
    int error;      /* errno: it is there but cannot be read; what lies below is unknown, not absent */
};

/* The content may be taken as equal until it is read: same type, and for regular files the same size and mtime, for
 * symlinks the same target, for devices the same numbers. Directories, fifos and sockets are equal by their type. */
bool td_entry_same_content(const struct td_entry *a, const struct td_entry *b);
/* Same permission bits, owner, xattrs and mtime. (For symlinks the mode does not count.) */
bool td_entry_same_attributes(const struct td_entry *a, const struct td_entry *b);
bool td_same_time(const struct timespec *a, const struct timespec *b);

/* Filesystems end somewhere: ext4 in 1901 and 2446. A time beyond is kept as the end itself. Is `have` what a member
 * makes of the original's time `want`? */
bool td_time_kept(const struct timespec *want, const struct timespec *have);
/* The same two questions for a member's copy: times are right as the member's filesystem can keep them. */
bool td_entry_kept_content(const struct td_entry *original, const struct td_entry *copy);
bool td_entry_kept_attributes(const struct td_entry *original, const struct td_entry *copy);

bool td_hash_is_zero(const uint8_t hash[TD_HASH_LEN]);

/* Is `path` equal to or below `above`? "" is above everything. */
bool td_path_below(const char *above, const char *path);

#endif
