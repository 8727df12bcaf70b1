/*
 * Where the inodes of an ext4 filesystem lie: those parts of its inode tables that were ever used, by the group
 * descriptors. Of use to read them in one go before a walk asks for them one by one; nothing is decided by it.
 */
#ifndef TWINDOCK_PLATFORM_EXT4_INODES_H
#define TWINDOCK_PLATFORM_EXT4_INODES_H

#include "twindock/base/error.h"
#include "twindock/base/range.h"

#include <stddef.h>
#include <stdint.h>

struct td_ext4_inodes {
    struct td_range *stretch; /* on the device, ascending, those that touch joined; bytes */
    size_t count;
    uint64_t bytes;      /* of all of them */
    uint32_t inode_size; /* bytes */
};

/* `device` stays the caller's. The filesystem may be mounted: what is in motion there makes the answer a little out of
 * date, and no worse. -EINVAL: there is no ext4. td_ext4_inodes_free() after success. */
int td_ext4_inodes(int device, struct td_ext4_inodes *out, struct td_error *err);
void td_ext4_inodes_free(struct td_ext4_inodes *inodes);

#endif
