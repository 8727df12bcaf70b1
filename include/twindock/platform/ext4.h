/*
 * The ext4 superblock as it lies on the device, without mounting. Source: Documentation/filesystems/ext4/
 * super.rst of the kernel. Parsing is a pure function over bytes.
 */
#ifndef TWINDOCK_PLATFORM_EXT4_H
#define TWINDOCK_PLATFORM_EXT4_H

#include "twindock/base/error.h"
#include "twindock/model/config.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_EXT4_SUPER_OFFSET 1024
#define TD_EXT4_SUPER_SIZE 1024

struct td_ext4 {
    uint32_t compat, incompat, ro_compat; /* feature words */
    uint16_t state;                       /* s_state: 1 cleanly unmounted, 2 errors seen */
    bool errors;                          /* the error flag is set, or an error count is recorded */
    bool needs_recovery;                  /* journal not empty: power was cut */
    bool orphans;                         /* files were being deleted or cut when power was */
    bool checksum_bad;                    /* metadata_csum is on and the superblock's own checksum is wrong */
    bool external_journal;                /* the journal lies on another device */
    bool uid16;                           /* s_default_mount_opts says uid16: owners are cut to 16 bits */
    bool odd_options;                     /* s_mount_opts holds an option that a mount cannot override */
    uint16_t inode_size;                  /* bytes */
    uint32_t block_size;                  /* bytes */
    uint64_t blocks;                      /* size of the filesystem in blocks */
    char uuid[37];
    char label[17];
    char mark[33]; /* by td_ext4_read: of all its bytes, in hex; every mounting for writing changes it */
};

/* -EINVAL: no ext4 superblock (magic, sizes). */
int td_ext4_parse(const uint8_t super[TD_EXT4_SUPER_SIZE], struct td_ext4 *out);
/* Read with O_DIRECT where possible, so that what counts is the disk and not a cache. */
int td_ext4_read(const char *node, struct td_ext4 *out, struct td_error *err);

/*
 * The first feature for which twindock refuses a disk, as words for a sentence ("inline_data", "inodes of 128 bytes,
 * ...", "no journal"); NULL when it is acceptable. What mkfs.ext4 makes by default in Debian 12 and 13 is acceptable.
 * Refused are
 * - features under which files cannot be read back from the medium or restored plainly by anyone: inline_data,
 * ea_inode, encrypt, casefold, verity, compression, dirdata, shared_blocks, and every incompat or ro_compat bit not
 * known here;
 * - no journal, or one on another device: a power cut must leave old or new, and a disk must stand on its own;
 * - mmp: each mount writes to the disk and waits, also for a machine that is long gone;
 * - no extents: ext2 and ext3, also when the ext4 driver would mount them;
 * - 128-byte inodes: no nanoseconds, no times after 2038;
 * - stored mount options that a mount cannot take back (mount.h), and a superblock with a wrong checksum.
 * meta_bg, large_dir, bigalloc, quota and project change nothing that twindock relies on and are accepted.
 */
const char *td_ext4_refused(const struct td_ext4 *fs);

#define TD_EXT4_START 4096
/* What is needed to take a preening back. */
struct td_ext4_undo {
    const char *file; /* the caller's: where e2fsck is to keep the blocks that it writes over; not on that device */
    bool kept;
    uint8_t start[TD_EXT4_START]; /* of the device, with its superblock: e2undo leaves its own mark in there */
};

/* e2fsck -p on an unmounted device, without a time limit. *status: e2fsck's exit code (0, 1: fine; 4 and more: not).
 * 0 whenever e2fsck ran to its end; from status 4 up the text in err says what it complained about all the same.
 * `undo`: NULL, or what to keep; where that cannot be kept the device is not touched. */
int td_ext4_preen(const char *node, struct td_ext4_undo *undo, int *status, struct td_error *err);
/* Make every byte of the device again what it was before td_ext4_preen. Nothing to do when nothing was kept. */
int td_ext4_take_back(const char *node, const struct td_ext4_undo *undo, struct td_error *err);
/* Let go of what was kept. */
void td_ext4_forget(struct td_ext4_undo *undo);

struct td_ext4_format {
    const char *uuid;
    const char *label;   /* at most 16 bytes */
    enum td_files files; /* one inode for so many bytes: mke2fs.conf's, 1 MiB, 4 KiB */
};
/* mkfs.ext4 with 256-byte inodes, no reserved blocks, no lazy initialisation. Overwrites what is there, old
 * signatures and partition tables included, and reads the superblock back. -EBUSY when the device is in use,
 * -ENOTSUP when mke2fs.conf made a filesystem that td_ext4_refused refuses. */
int td_ext4_make(const char *node, const struct td_ext4_format *format, struct td_error *err);

/* A random version 4 UUID as text. */
int td_uuid_random(char out[37], struct td_error *err);

#endif
