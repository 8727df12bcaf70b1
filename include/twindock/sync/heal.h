/*
 * Good bytes for a file of the source that has rotted: a member's copy is put in its place.
 *
 * The copy is read from the medium once, hashed and written to a file without a name in the directory of the rotted one
 * (O_TMPFILE; a name of its own where the filesystem knows no such files), gets the rotted one's owner, mode, extended
 * attributes and mtime, is made durable, read back from the medium and compared, and renamed over it. Whatever ends
 * the process, each name is old or new, whole. A name that is left over then, ".twindock-heal-" and the inode's number,
 * is taken away by the next attempt.
 */
#ifndef TWINDOCK_SYNC_HEAL_H
#define TWINDOCK_SYNC_HEAL_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct td_heal {
    int source, member;       /* roots of the collection, on both sides */
    const char *const *names; /* all names of the rotted inode below both roots; the first is read from the member */
    size_t name_count;        /* at least 1 */
    const struct td_entry *known; /* what the rotted file looks like: ino, size, mtime and ctime */
    const uint8_t *hash;          /* SHA-256 of the good bytes */
    const atomic_bool *cancel;    /* may be NULL: -ECANCELED when it is set */
};

/*
 * 0: all names have the good bytes, durably; *healed describes the new file (path NULL). Else nothing was changed, or
 * (where one of several names could not be replaced) the names done are whole. -EUCLEAN: the member's copy has not got
 * this hash; -ESTALE: the source's file is another one than `known`, or was changed meanwhile; -EMLINK: it has more
 * names than these; -EROFS, -EACCES, -EPERM: the source may not be written.
 */
int td_heal_file(const struct td_heal *heal, struct td_entry *healed, struct td_error *err);

#endif
