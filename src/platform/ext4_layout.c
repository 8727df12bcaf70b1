#include "twindock/platform/ext4_layout.h"

#include <errno.h>
#include <string.h>

/* Offsets of fields: super.rst, then group_descr.rst. */
enum {
    S_FIRST_DATA_BLOCK = 0x14,
    S_LOG_BLOCK_SIZE = 0x18,
    S_LOG_CLUSTER_SIZE = 0x1c,
    S_BLOCKS_PER_GROUP = 0x20,
    S_CLUSTERS_PER_GROUP = 0x24,
    S_INODES_PER_GROUP = 0x28,
    S_RESERVED_GDT_BLOCKS = 0xce,
    S_DESC_SIZE = 0xfe,
    S_FIRST_META_BG = 0x104,
    S_LOG_GROUPS_PER_FLEX = 0x174,
    S_BACKUP_BGS = 0x24c,
    BG_BLOCK_BITMAP = 0x00,
    BG_INODE_BITMAP = 0x04,
    BG_INODE_TABLE = 0x08,
    BG_FREE_BLOCKS = 0x0c,
    BG_FLAGS = 0x12,
    BG_ITABLE_UNUSED = 0x1c,
    BG_HI = 0x20, /* the upper halves of the first three, in the same order */
    BG_FREE_BLOCKS_HI = 0x2c,
    BG_ITABLE_UNUSED_HI = 0x32,
    DESC_SIZE_MIN = 32,
    DESC_SIZE_64BIT = 64
};

#define COMPAT_RESIZE_INODE 0x0010u
#define COMPAT_SPARSE_SUPER2 0x0200u
#define INCOMPAT_META_BG 0x0010u
#define INCOMPAT_64BIT 0x0080u
#define INCOMPAT_FLEX_BG 0x0200u
#define RO_COMPAT_SPARSE_SUPER 0x0001u
#define RO_COMPAT_GDT_CSUM 0x0010u
#define RO_COMPAT_BIGALLOC 0x0200u
#define RO_COMPAT_METADATA_CSUM 0x0400u

#define BG_INODE_UNINIT 0x1
#define BG_BLOCK_UNINIT 0x2
#define BG_INODE_ZEROED 0x4

#define LOG_RATIO_MAX 16
#define LOG_FLEX_MAX 31

static uint32_t get16(const uint8_t *raw, size_t at) {
    return raw[at] | (uint32_t)raw[at + 1] << 8;
}

static uint32_t get32(const uint8_t *raw, size_t at) {
    return get16(raw, at) | get16(raw, at + 2) << 16;
}

static uint32_t per(uint64_t all, uint32_t each) {
    return (uint32_t)((all + each - 1) / each);
}

/* How a group is cut, in blocks. A bitmap is one block, with a bit for each cluster. */
static bool parse_groups(const uint8_t *super, const struct td_ext4 *fs, struct td_ext4_layout *out) {
    uint32_t log_block = get32(super, S_LOG_BLOCK_SIZE), log_cluster = get32(super, S_LOG_CLUSTER_SIZE);
    uint32_t clusters = get32(super, S_BLOCKS_PER_GROUP);
    out->cluster_ratio = 1;
    if (fs->ro_compat & RO_COMPAT_BIGALLOC) {
        if (log_cluster < log_block || log_cluster - log_block > LOG_RATIO_MAX)
            return false;
        out->cluster_ratio = 1u << (log_cluster - log_block);
        clusters = get32(super, S_CLUSTERS_PER_GROUP);
    }
    if (clusters == 0 || clusters > 8 * out->block_size || out->first_block >= out->blocks)
        return false;
    out->blocks_per_group = clusters * out->cluster_ratio;
    uint64_t groups = (out->blocks - out->first_block + out->blocks_per_group - 1) / out->blocks_per_group;
    out->groups = (uint32_t)groups;
    return groups == out->groups;
}

static bool parse_inodes(const uint8_t *super, const struct td_ext4 *fs, struct td_ext4_layout *out) {
    out->inodes_per_group = get32(super, S_INODES_PER_GROUP);
    out->inode_size = fs->inode_size;
    if (out->inodes_per_group == 0 || out->inodes_per_group > 8 * out->block_size)
        return false;
    out->table_blocks = per((uint64_t)out->inodes_per_group * out->inode_size, out->block_size);
    return true;
}

static bool parse_descriptors(const uint8_t *super, const struct td_ext4 *fs, struct td_ext4_layout *out) {
    uint32_t size = (fs->incompat & INCOMPAT_64BIT) ? get16(super, S_DESC_SIZE) : DESC_SIZE_MIN;
    uint32_t log_flex = (fs->incompat & INCOMPAT_FLEX_BG) ? super[S_LOG_GROUPS_PER_FLEX] : 0;
    if (size < DESC_SIZE_MIN || size > out->block_size || (size & (size - 1)) != 0 || log_flex > LOG_FLEX_MAX)
        return false;
    out->descriptor_size = size;
    out->descriptor_blocks = per(out->groups, out->block_size / size);
    out->meta_bg = (fs->incompat & INCOMPAT_META_BG) != 0;
    out->first_meta_bg = out->meta_bg ? get32(super, S_FIRST_META_BG) : 0;
    out->reserved_blocks = (fs->compat & COMPAT_RESIZE_INODE) ? get16(super, S_RESERVED_GDT_BLOCKS) : 0;
    out->flex = 1u << log_flex;
    return true;
}

int td_ext4_layout_parse(const uint8_t super[TD_EXT4_SUPER_SIZE], struct td_ext4_layout *out) {
    struct td_ext4 fs;
    memset(out, 0, sizeof *out);
    int rc = td_ext4_parse(super, &fs);
    if (rc < 0)
        return rc;
    out->block_size = fs.block_size;
    out->blocks = fs.blocks;
    out->first_block = get32(super, S_FIRST_DATA_BLOCK);
    out->sparse = (fs.ro_compat & RO_COMPAT_SPARSE_SUPER) != 0;
    out->sparse2 = (fs.compat & COMPAT_SPARSE_SUPER2) != 0;
    out->copies[0] = get32(super, S_BACKUP_BGS);
    out->copies[1] = get32(super, S_BACKUP_BGS + 4);
    out->lazy = (fs.ro_compat & (RO_COMPAT_GDT_CSUM | RO_COMPAT_METADATA_CSUM)) != 0;
    return parse_groups(super, &fs, out) && parse_inodes(super, &fs, out) && parse_descriptors(super, &fs, out)
               ? 0
               : -EINVAL;
}

uint64_t td_ext4_group_start(const struct td_ext4_layout *fs, uint32_t group) {
    return fs->first_block + (uint64_t)group * fs->blocks_per_group;
}

uint32_t td_ext4_group_blocks(const struct td_ext4_layout *fs, uint32_t group) {
    uint64_t left = fs->blocks - td_ext4_group_start(fs, group);
    return left < fs->blocks_per_group ? (uint32_t)left : fs->blocks_per_group;
}

static bool is_power(uint32_t n, uint32_t base) {
    while (n > 1 && n % base == 0)
        n /= base;
    return n == 1;
}

/* Has this group the superblock or a copy of it? */
static bool has_super(const struct td_ext4_layout *fs, uint32_t group) {
    if (group == 0)
        return true;
    if (fs->sparse2)
        return group == fs->copies[0] || group == fs->copies[1];
    return !fs->sparse || is_power(group, 3) || is_power(group, 5) || is_power(group, 7);
}

/* With blocks of 1 KiB and a group 0 that begins at block 0 (bigalloc) the superblock is in block 1 all the same. */
static uint32_t boot_block(const struct td_ext4_layout *fs, uint32_t group) {
    return group == 0 && fs->first_block == 0 && fs->block_size == TD_EXT4_SUPER_OFFSET ? 1 : 0;
}

uint64_t td_ext4_descriptor_block(const struct td_ext4_layout *fs, uint32_t n) {
    uint32_t group = fs->meta_bg && n >= fs->first_meta_bg ? n * (fs->block_size / fs->descriptor_size) : 0;
    uint64_t block = td_ext4_group_start(fs, group) + boot_block(fs, group) + (has_super(fs, group) ? 1 : 0);
    return group == 0 ? block + n : block;
}

uint32_t td_ext4_group_front(const struct td_ext4_layout *fs, uint32_t group, uint32_t *reserved) {
    uint32_t each = fs->block_size / fs->descriptor_size, meta = group / each, place = group % each;
    uint32_t front = has_super(fs, group) ? 1 + boot_block(fs, group) : 0;
    *reserved = 0;
    if (fs->meta_bg && meta >= fs->first_meta_bg)
        return front + (place == 0 || place == 1 || place == each - 1 ? 1 : 0);
    if (front == 0)
        return 0;
    *reserved = fs->reserved_blocks;
    return front +
           (fs->meta_bg && fs->first_meta_bg < fs->descriptor_blocks ? fs->first_meta_bg : fs->descriptor_blocks);
}

static bool inside(const struct td_ext4_layout *fs, uint64_t block, uint32_t count) {
    return block >= fs->first_block && block < fs->blocks && fs->blocks - block >= count;
}

bool td_ext4_group_parse(const struct td_ext4_layout *fs, const uint8_t *raw, struct td_ext4_group *out) {
    bool wide = fs->descriptor_size >= DESC_SIZE_64BIT;
    uint32_t flags = fs->lazy ? get16(raw, BG_FLAGS) : BG_INODE_ZEROED;
    uint32_t unused = fs->lazy ? get16(raw, BG_ITABLE_UNUSED) : 0;
    *out = (struct td_ext4_group){
        .block_bitmap = get32(raw, BG_BLOCK_BITMAP),
        .inode_bitmap = get32(raw, BG_INODE_BITMAP),
        .inode_table = get32(raw, BG_INODE_TABLE),
        .free_blocks = get16(raw, BG_FREE_BLOCKS),
        .blocks_unmade = (flags & BG_BLOCK_UNINIT) != 0,
        .inodes_unmade = (flags & BG_INODE_UNINIT) != 0,
        .table_made = (flags & BG_INODE_ZEROED) != 0,
    };
    if (wide) {
        out->block_bitmap |= (uint64_t)get32(raw, BG_HI) << 32;
        out->inode_bitmap |= (uint64_t)get32(raw, BG_HI + 4) << 32;
        out->inode_table |= (uint64_t)get32(raw, BG_HI + 8) << 32;
        out->free_blocks |= get16(raw, BG_FREE_BLOCKS_HI) << 16;
        unused |= fs->lazy ? get16(raw, BG_ITABLE_UNUSED_HI) << 16 : 0;
    }
    out->used_inodes = unused < fs->inodes_per_group ? fs->inodes_per_group - unused : 0;
    if (out->inodes_unmade)
        out->used_inodes = 0;
    return inside(fs, out->block_bitmap, 1) && inside(fs, out->inode_bitmap, 1) &&
           inside(fs, out->inode_table, fs->table_blocks);
}
