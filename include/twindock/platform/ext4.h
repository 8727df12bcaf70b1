/*
 * The ext4 superblock as it lies on the device, without mounting. Source: Documentation/filesystems/ext4/
 * super.rst of the kernel. Parsing is a pure function over bytes.
 */
#ifndef TWINDOCK_PLATFORM_EXT4_H
#define TWINDOCK_PLATFORM_EXT4_H

#include "twindock/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_EXT4_SUPER_OFFSET 1024
#define TD_EXT4_SUPER_SIZE 1024

struct td_ext4 {
    uint32_t compat, incompat, ro_compat; /* feature words */
    uint16_t state;                       /* s_state: 1 cleanly unmounted, 2 errors seen */
    bool errors;                          /* the error flag is set, or an error count is recorded */
    bool needs_recovery;                  /* journal not empty: power was cut */
    uint16_t inode_size;                  /* bytes */
    uint32_t block_size;                  /* bytes */
    uint64_t blocks;                      /* size of the filesystem in blocks */
    char uuid[37];
    char label[17];
};

/* -EINVAL: no ext4 superblock (magic, sizes). */
int td_ext4_parse(const uint8_t super[TD_EXT4_SUPER_SIZE], struct td_ext4 *out);
/* Read with O_DIRECT where possible, so that what counts is the disk and not a cache. */
int td_ext4_read(const char *node, struct td_ext4 *out, struct td_error *err);

/* The first feature for which twindock refuses a disk (inline_data, encrypt, casefold, verity, journal_dev, ea_inode,
 * unknown incompat bits, "inodes of 128 bytes", ...), as words for a sentence; NULL when it is acceptable. */
const char *td_ext4_refused(const struct td_ext4 *fs);

/* e2fsck -p on an unmounted device. *status: e2fsck's exit code (0, 1: fine; 4 and more: not). */
int td_ext4_preen(const char *node, int *status, struct td_error *err);

struct td_ext4_format {
    const char *uuid;
    const char *label; /* at most 16 bytes */
    bool large_files;  /* few inodes: -T largefile */
};
/* mkfs.ext4 with 256-byte inodes, no reserved blocks, no lazy initialisation. Overwrites what is there. */
int td_ext4_make(const char *node, const struct td_ext4_format *format, struct td_error *err);

/* A random version 4 UUID as text. */
int td_uuid_random(char out[37], struct td_error *err);

#endif
