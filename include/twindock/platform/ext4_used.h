/*
 * Which parts of a device an ext4 filesystem uses, by its own bitmaps, for one device or for two that should hold the
 * same: then what either of them thinks is used counts. Nothing is mounted, nothing written.
 *
 * Left out, besides what is free, is what is allocated but was never written by anyone: bitmaps and inode tables that
 * the group's flags call unmade (on both devices), and the room that copies of the group descriptors have to grow.
 * A group whose descriptor or bitmap makes no sense or cannot be read counts as used to its last block.
 */
#ifndef TWINDOCK_PLATFORM_EXT4_USED_H
#define TWINDOCK_PLATFORM_EXT4_USED_H

#include "twindock/base/error.h"
#include "twindock/base/range.h"

#include <stdint.h>

struct td_ext4_used;

/* `fds` (1 or 2 of them) stay the caller's; reads are aligned for O_DIRECT. -EINVAL: one holds no sound ext4, -EXDEV:
 * they are of different shape, -EUCLEAN: a journal is to be replayed, so that the bitmaps are not the last word. */
int td_ext4_used_open(const int *fds, int count, struct td_ext4_used **out, struct td_error *err);
void td_ext4_used_close(struct td_ext4_used *used); /* NULL is allowed */
/* The next stretch in use, in ascending order: 1, 0 at the end, or a negative errno. */
int td_ext4_used_next(struct td_ext4_used *used, struct td_range *out, struct td_error *err);
/* About how many bytes that will be in all, from the descriptors' counts. */
uint64_t td_ext4_used_estimate(const struct td_ext4_used *used);
/* Bytes of the filesystem. */
uint64_t td_ext4_used_size(const struct td_ext4_used *used);

#endif
