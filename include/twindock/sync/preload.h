/*
 * Reading what a walk is going to need, in the order of the disk, before the walk asks for it in the order of names:
 * the inode tables in use, and the blocks of many directories at a time. They are read from the block device below the
 * filesystem, through its page cache, which is where ext4 looks for its own metadata. What has been read so decides
 * nothing, and where it cannot be read (other filesystems, bad spots) the walk goes on as it would have without.
 */
#ifndef TWINDOCK_SYNC_PRELOAD_H
#define TWINDOCK_SYNC_PRELOAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct td_preload;

/* For the filesystem of `root`, which must outlive it. NULL: there is nothing to be done there. `cancel` may be NULL;
 * set, it ends a reading. */
struct td_preload *td_preload_open(int root, const atomic_bool *cancel);
void td_preload_close(struct td_preload *preload); /* NULL is allowed */

/* Read the inode tables, where that is worth its while for a tree of about `entries` files (0: not known, and nothing
 * is read), and where they fit into a small part of the machine's memory. */
void td_preload_inodes(struct td_preload *preload, uint64_t entries);

/* Note where this directory (open) lies, until there are some; then read them all. Both may be called with NULL. */
void td_preload_note(struct td_preload *preload, int directory);
void td_preload_read(struct td_preload *preload);

#endif
