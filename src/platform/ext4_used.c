#include "twindock/platform/ext4_used.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/platform/ext4_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNED 4096          /* direct reads of any drive */
#define WINDOW (256U << 10)   /* bitmaps of one flex group lie side by side: one read has them all */
#define GROUPS_MAX (1U << 26) /* 8 EiB in groups of 128 MiB */

/* One of the devices. */
struct disk {
    int fd;
    uint8_t *descriptors;
    uint8_t *window;
    uint64_t at;   /* what the window holds: from here, */
    size_t filled; /* so many bytes */
};

struct td_ext4_used {
    struct td_ext4_layout fs;
    struct disk disk[2];
    int disks;
    uint8_t *bits; /* of the group that is being told: a bit for each block */
    uint32_t group, place, end;
};

/* --- reading ------------------------------------------------------------------------------------------- */

/* `length` bytes at `at` through the window; NULL with errno set where they cannot be read. */
static const uint8_t *look(struct disk *disk, uint64_t at, size_t length) {
    if (at < disk->at || at + length > disk->at + disk->filled) {
        disk->at = at / ALIGNED * ALIGNED;
        disk->filled = 0;
        ssize_t got = td_pread_all(disk->fd, disk->window, WINDOW, (off_t)disk->at);
        if (got < 0 && at + length - disk->at <= WINDOW) /* something bad behind it, perhaps */
            got = td_pread_all(disk->fd, disk->window, (at + length - disk->at + ALIGNED - 1) / ALIGNED * ALIGNED,
                               (off_t)disk->at);
        if (got < 0) {
            errno = (int)-got;
            return NULL;
        }
        disk->filled = (size_t)got;
    }
    if (at + length > disk->at + disk->filled) {
        errno = EIO;
        return NULL;
    }
    return disk->window + (at - disk->at);
}

static int read_super(struct disk *disk, struct td_ext4_layout *out, struct td_error *err) {
    struct td_ext4 super;
    const uint8_t *raw = look(disk, TD_EXT4_SUPER_OFFSET, TD_EXT4_SUPER_SIZE);
    if (raw == NULL)
        return td_fail(err, errno, "cannot read the superblock");
    if (td_ext4_layout_parse(raw, out) < 0 || td_ext4_parse(raw, &super) < 0 || super.checksum_bad ||
        out->groups > GROUPS_MAX)
        return td_fail_text(err, EINVAL, "there is no sound ext4 superblock");
    if (super.needs_recovery)
        return td_fail_text(err, EUCLEAN, "the journal has not been replayed");
    return 0;
}

static int read_descriptors(const struct td_ext4_layout *fs, struct disk *disk, struct td_error *err) {
    disk->descriptors = calloc(fs->descriptor_blocks, fs->block_size);
    if (disk->descriptors == NULL)
        return td_fail(err, ENOMEM, "reading the group descriptors");
    for (uint32_t i = 0; i < fs->descriptor_blocks; i++) {
        const uint8_t *raw = look(disk, td_ext4_descriptor_block(fs, i) * fs->block_size, fs->block_size);
        if (raw == NULL)
            return td_fail(err, errno, "cannot read the group descriptors");
        memcpy(disk->descriptors + (size_t)i * fs->block_size, raw, fs->block_size);
    }
    return 0;
}

static bool describe(const struct td_ext4_used *used, int d, uint32_t group, struct td_ext4_group *out) {
    return td_ext4_group_parse(&used->fs, used->disk[d].descriptors + (size_t)group * used->fs.descriptor_size, out);
}

/* --- one group's bits ---------------------------------------------------------------------------------- */

static bool is_set(const uint8_t *bits, uint32_t n) {
    return (bits[n / 8] >> n % 8 & 1) != 0;
}

/* Set or clear the bits of those of `count` blocks from `block` on that are in this group. */
static void mark(struct td_ext4_used *used, uint64_t block, uint64_t count, bool set) {
    uint64_t first = td_ext4_group_start(&used->fs, used->group), end = first + used->end;
    uint64_t from = block > first ? block : first, to = block + count < end ? block + count : end;
    for (; from < to; from++) {
        uint32_t n = (uint32_t)(from - first);
        if (set)
            used->bits[n / 8] |= (uint8_t)(1U << n % 8);
        else
            used->bits[n / 8] &= (uint8_t) ~(1U << n % 8);
    }
}

/* What this disk's bitmap says; false where it says nothing that can be believed. */
static bool add_bitmap(struct td_ext4_used *used, int d) {
    const struct td_ext4_layout *fs = &used->fs;
    struct td_ext4_group group;
    if (!describe(used, d, used->group, &group))
        return false;
    if (group.blocks_unmade)
        return true;
    const uint8_t *bitmap = look(&used->disk[d], group.block_bitmap * fs->block_size, fs->block_size);
    if (bitmap == NULL)
        return false;
    if (fs->cluster_ratio == 1) {
        for (uint32_t i = 0; i < (used->end + 7) / 8; i++)
            used->bits[i] |= bitmap[i];
        return true;
    }
    uint64_t first = td_ext4_group_start(fs, used->group);
    for (uint32_t i = 0; i * fs->cluster_ratio < used->end; i++)
        if (is_set(bitmap, i))
            mark(used, first + (uint64_t)i * fs->cluster_ratio, fs->cluster_ratio, true);
    return true;
}

/* The bitmaps and the inode table of a group, wherever they lie: there whatever a bitmap says. */
static void add_tables(struct td_ext4_used *used, const struct td_ext4_group *of) {
    mark(used, of->block_bitmap, 1, true);
    mark(used, of->inode_bitmap, 1, true);
    mark(used, of->inode_table, used->fs.table_blocks, true);
}

/* Of those, what has never been written on any of the disks. */
static void leave_out_unmade(struct td_ext4_used *used, const struct td_ext4_group of[2]) {
    const struct td_ext4_layout *fs = &used->fs;
    const struct td_ext4_group *last = &of[used->disks - 1];
    bool same = of[0].block_bitmap == last->block_bitmap && of[0].inode_bitmap == last->inode_bitmap &&
                of[0].inode_table == last->inode_table;
    if (!fs->lazy || !same)
        return;
    if (of[0].blocks_unmade && last->blocks_unmade)
        mark(used, of[0].block_bitmap, 1, false);
    if (of[0].inodes_unmade && last->inodes_unmade)
        mark(used, of[0].inode_bitmap, 1, false);
    if (of[0].table_made || last->table_made)
        return;
    uint64_t inodes = of[0].used_inodes > last->used_inodes ? of[0].used_inodes : last->used_inodes;
    uint64_t made = (inodes * fs->inode_size + fs->block_size - 1) / fs->block_size;
    if (made < fs->table_blocks)
        mark(used, of[0].inode_table + made, fs->table_blocks - made, false);
}

/* Groups that share their places with this one. A damaged descriptor has its say in add_bitmap(). */
static void consider_tables(struct td_ext4_used *used) {
    uint32_t first = used->group & ~(used->fs.flex - 1); /* a power of two */
    for (uint32_t g = first; g < used->fs.groups && g - first < used->fs.flex; g++) {
        struct td_ext4_group of[2] = {0};
        bool sound = true;
        for (int d = 0; d < used->disks; d++) {
            sound = describe(used, d, g, &of[d]) && sound;
            if (sound)
                add_tables(used, &of[d]);
        }
        if (sound)
            leave_out_unmade(used, of);
    }
}

static void enter_group(struct td_ext4_used *used) {
    const struct td_ext4_layout *fs = &used->fs;
    uint64_t start = td_ext4_group_start(fs, used->group);
    uint32_t reserved = 0, front = td_ext4_group_front(fs, used->group, &reserved);
    bool sound = true;
    used->end = td_ext4_group_blocks(fs, used->group);
    used->place = 0;
    memset(used->bits, 0, (size_t)(fs->blocks_per_group + 7) / 8);
    for (int d = 0; d < used->disks; d++)
        sound = add_bitmap(used, d) && sound;
    if (!sound) {
        mark(used, start, used->end, true);
        return;
    }
    mark(used, start, front, true);
    consider_tables(used);
    if (used->group > 0 && fs->cluster_ratio == 1)
        mark(used, start + front, reserved, false);
}

/* --- telling ------------------------------------------------------------------------------------------- */

/* The next run of set bits in this group: false at its end. */
static bool next_run(struct td_ext4_used *used, uint64_t *block, uint64_t *count) {
    uint32_t n = used->place;
    while (n < used->end && !is_set(used->bits, n))
        n += n % 8 == 0 && used->bits[n / 8] == 0 ? 8 : 1;
    uint32_t from = n;
    while (n < used->end && is_set(used->bits, n))
        n += n % 8 == 0 && used->bits[n / 8] == 0xff && used->end - n >= 8 ? 8 : 1;
    used->place = n;
    *block = td_ext4_group_start(&used->fs, used->group) + from;
    *count = n - from;
    return from < used->end;
}

int td_ext4_used_next(struct td_ext4_used *used, struct td_range *out, struct td_error *err) {
    (void)err;
    uint64_t block = 0, count = 0;
    while (used->group < used->fs.groups) {
        if (next_run(used, &block, &count)) {
            *out = (struct td_range){block * used->fs.block_size, count * used->fs.block_size};
            return 1;
        }
        used->group++;
        if (used->group < used->fs.groups)
            enter_group(used);
    }
    return 0;
}

uint64_t td_ext4_used_estimate(const struct td_ext4_used *used) {
    uint64_t most = 0;
    for (int d = 0; d < used->disks; d++) {
        uint64_t free = 0;
        for (uint32_t g = 0; g < used->fs.groups; g++) {
            struct td_ext4_group group;
            if (describe(used, d, g, &group))
                free += (uint64_t)group.free_blocks * used->fs.cluster_ratio;
        }
        uint64_t rest = used->fs.blocks > free ? used->fs.blocks - free : 0;
        most = rest > most ? rest : most;
    }
    return most * used->fs.block_size;
}

uint64_t td_ext4_used_size(const struct td_ext4_used *used) {
    return used->fs.blocks * used->fs.block_size;
}

/* --- opening ------------------------------------------------------------------------------------------- */

static bool same_shape(const struct td_ext4_layout *a, const struct td_ext4_layout *b) {
    return a->block_size == b->block_size && a->cluster_ratio == b->cluster_ratio && a->blocks == b->blocks &&
           a->first_block == b->first_block && a->blocks_per_group == b->blocks_per_group &&
           a->inodes_per_group == b->inodes_per_group && a->inode_size == b->inode_size &&
           a->descriptor_size == b->descriptor_size && a->reserved_blocks == b->reserved_blocks && a->flex == b->flex &&
           a->meta_bg == b->meta_bg && a->first_meta_bg == b->first_meta_bg && a->sparse == b->sparse &&
           a->sparse2 == b->sparse2 && a->copies[0] == b->copies[0] && a->copies[1] == b->copies[1] &&
           a->lazy == b->lazy;
}

static int open_disk(struct td_ext4_used *used, int d, struct td_error *err) {
    struct td_ext4_layout fs;
    struct disk *disk = &used->disk[d];
    disk->window = aligned_alloc(ALIGNED, WINDOW);
    if (disk->window == NULL)
        return td_fail(err, ENOMEM, "reading the superblock");
    int rc = read_super(disk, &fs, err);
    if (rc != 0)
        return rc;
    if (d == 0)
        used->fs = fs;
    else if (!same_shape(&used->fs, &fs))
        return td_fail_text(err, EXDEV, "the two filesystems are of different shape");
    return read_descriptors(&used->fs, disk, err);
}

int td_ext4_used_open(const int *fds, int count, struct td_ext4_used **out, struct td_error *err) {
    int rc = 0;
    struct td_ext4_used *used = calloc(1, sizeof *used);
    *out = NULL;
    if (used == NULL)
        return td_fail(err, ENOMEM, "reading the superblock");
    used->disks = count;
    for (int d = 0; d < count; d++)
        used->disk[d].fd = fds[d];
    for (int d = 0; d < count && rc == 0; d++)
        rc = open_disk(used, d, err);
    if (rc == 0 && (used->bits = calloc(1, (size_t)used->fs.blocks_per_group / 8 + 1)) == NULL)
        rc = td_fail(err, ENOMEM, "reading the bitmaps");
    if (rc != 0) {
        td_ext4_used_close(used);
        return rc;
    }
    enter_group(used);
    *out = used;
    return 0;
}

void td_ext4_used_close(struct td_ext4_used *used) {
    if (used == NULL)
        return;
    for (int d = 0; d < used->disks; d++) {
        free(used->disk[d].descriptors);
        free(used->disk[d].window);
    }
    free(used->bits);
    free(used);
}
