/*
 * Where an ext4 filesystem keeps what: its groups and their descriptors. Pure functions over bytes. Source:
 * Documentation/filesystems/ext4/{super,group_descr,blockgroup,bitmaps}.rst of the kernel.
 */
#ifndef TWINDOCK_PLATFORM_EXT4_LAYOUT_H
#define TWINDOCK_PLATFORM_EXT4_LAYOUT_H

#include "twindock/platform/ext4.h"

#include <stdbool.h>
#include <stdint.h>

struct td_ext4_layout {
    uint32_t block_size;       /* bytes */
    uint32_t cluster_ratio;    /* blocks to a bit of the bitmap: 1 without bigalloc */
    uint64_t blocks;           /* of the filesystem */
    uint32_t first_block;      /* where group 0 begins: 1 with blocks of 1 KiB, else 0 */
    uint32_t blocks_per_group; /* a group's bitmap fits into one block */
    uint32_t groups;
    uint32_t inodes_per_group;
    uint32_t inode_size;      /* bytes */
    uint32_t table_blocks;    /* of a group's inode table */
    uint32_t descriptor_size; /* bytes */
    uint32_t descriptor_blocks;
    uint32_t reserved_blocks; /* for descriptors to come, behind the descriptors and each of their copies */
    uint32_t flex;            /* groups whose bitmaps and inode tables lie together, 1: each its own */
    bool meta_bg;
    uint32_t first_meta_bg; /* descriptor blocks from here on lie in their own groups */
    bool sparse, sparse2;   /* not every group has a copy of the superblock; only two have */
    uint32_t copies[2];     /* sparse2: these */
    bool lazy;              /* descriptors have checksums: their flags count */
};

/* -EINVAL: no ext4 superblock, or one whose numbers make no sense. */
int td_ext4_layout_parse(const uint8_t super[TD_EXT4_SUPER_SIZE], struct td_ext4_layout *out);

/* The first block of a group, and how many it has. */
uint64_t td_ext4_group_start(const struct td_ext4_layout *fs, uint32_t group);
uint32_t td_ext4_group_blocks(const struct td_ext4_layout *fs, uint32_t group);
/* The block that holds descriptors number n * (block size / descriptor size) and on. */
uint64_t td_ext4_descriptor_block(const struct td_ext4_layout *fs, uint32_t n);
/* At the beginning of a group: blocks with the superblock or its copy and descriptors, and behind them *reserved ones.
 */
uint32_t td_ext4_group_front(const struct td_ext4_layout *fs, uint32_t group, uint32_t *reserved);

struct td_ext4_group {
    uint64_t block_bitmap, inode_bitmap, inode_table; /* block numbers */
    uint32_t free_blocks;                             /* clusters, with bigalloc */
    uint32_t used_inodes;                             /* that were ever used: the table's first ones */
    bool blocks_unmade;                               /* the block bitmap was never written; nothing is allocated */
    bool inodes_unmade;                               /* the inode bitmap was never written */
    bool table_made;                                  /* the inode table is zeroed beyond the inodes in use */
};
/* `raw`: fs->descriptor_size bytes. False: it names blocks that are not there. */
bool td_ext4_group_parse(const struct td_ext4_layout *fs, const uint8_t *raw, struct td_ext4_group *out);

#endif
