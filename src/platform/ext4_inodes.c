#include "twindock/platform/ext4_inodes.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/platform/ext4_layout.h"

#include <errno.h>
#include <stdlib.h>

#define GROUPS_MAX (1U << 26) /* 8 EiB in groups of 128 MiB */

void td_ext4_inodes_free(struct td_ext4_inodes *inodes) {
    free(inodes->stretch);
    *inodes = (struct td_ext4_inodes){0};
}

static int read_layout(int device, struct td_ext4_layout *fs, struct td_error *err) {
    uint8_t super[TD_EXT4_SUPER_SIZE];
    ssize_t got = td_pread_all(device, super, sizeof super, TD_EXT4_SUPER_OFFSET);
    if (got != (ssize_t)sizeof super)
        return td_fail(err, got < 0 ? (int)-got : EIO, "cannot read the superblock");
    if (td_ext4_layout_parse(super, fs) < 0 || fs->groups > GROUPS_MAX)
        return td_fail_text(err, EINVAL, "there is no sound ext4 superblock");
    return 0;
}

/* A group's part: `room` has place for one stretch to each group. */
static void add_group(const struct td_ext4_layout *fs, const uint8_t *raw, struct td_ext4_inodes *out) {
    struct td_ext4_group group;
    if (!td_ext4_group_parse(fs, raw, &group) || group.used_inodes == 0)
        return;
    uint64_t blocks = ((uint64_t)group.used_inodes * fs->inode_size + fs->block_size - 1) / fs->block_size;
    out->stretch[out->count++] = (struct td_range){group.inode_table * fs->block_size, blocks * fs->block_size};
    out->bytes += blocks * fs->block_size;
}

static int by_start(const void *a, const void *b) {
    const struct td_range *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Tables of a flex group lie side by side: full ones are one stretch. */
static void join(struct td_ext4_inodes *out) {
    size_t kept = 0;
    qsort(out->stretch, out->count, sizeof *out->stretch, by_start);
    for (size_t i = 1; i < out->count; i++) {
        struct td_range *last = &out->stretch[kept], *next = &out->stretch[i];
        if (last->start + last->length == next->start)
            last->length += next->length;
        else
            out->stretch[++kept] = *next;
    }
    out->count = out->count > 0 ? kept + 1 : 0;
}

int td_ext4_inodes(int device, struct td_ext4_inodes *out, struct td_error *err) {
    struct td_ext4_layout fs;
    *out = (struct td_ext4_inodes){0};
    int rc = read_layout(device, &fs, err);
    if (rc < 0)
        return rc;
    TD_AUTOFREE uint8_t *block = malloc(fs.block_size);
    out->stretch = calloc(fs.groups, sizeof *out->stretch);
    if (block == NULL || out->stretch == NULL) {
        td_ext4_inodes_free(out);
        return td_fail(err, ENOMEM, "reading the group descriptors");
    }
    out->inode_size = fs.inode_size;
    uint32_t each = fs.block_size / fs.descriptor_size;
    for (uint32_t group = 0; group < fs.groups; group++) {
        off_t at = (off_t)(td_ext4_descriptor_block(&fs, group / each) * fs.block_size);
        if (group % each == 0 && td_pread_all(device, block, fs.block_size, at) != (ssize_t)fs.block_size) {
            td_ext4_inodes_free(out);
            return td_fail(err, EIO, "cannot read the group descriptors");
        }
        add_group(&fs, block + (size_t)(group % each) * fs.descriptor_size, out);
    }
    join(out);
    return 0;
}
