/*
 * Paths below a directory descriptor, and nowhere else.
 *
 * A path is relative, without leading slash, its components separated by single slashes; "" is the
 * root itself. Every lookup goes through openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and
 * RESOLVE_NO_MAGICLINKS, in pieces shorter than PATH_MAX, so paths of any length work and a
 * symlink put in the way is refused (-ELOOP), not followed.
 */
#ifndef TWINDOCK_BASE_BENEATH_H
#define TWINDOCK_BASE_BENEATH_H

#include <sys/types.h>

/* Open `path` below `root`. O_CLOEXEC and O_NOFOLLOW are added, so O_PATH opens a symlink itself where the last
 * component is one. A descriptor or a negative errno (-EXDEV for an absolute path or one that leads out). */
int td_open_beneath(int root, const char *path, int flags, mode_t mode);

/* Open the directory that holds `path` (O_PATH|O_DIRECTORY is not enough to fsync: it is O_RDONLY).
 * *name points into `path`, at its last component. A descriptor or a negative errno. -EINVAL where the
 * last component is "", "." or "..": none of them is a name to make, rename or remove. */
int td_open_parent(int root, const char *path, const char **name);

/* Create the missing directories of `path`'s parent, mode 0700. 0 or a negative errno. */
int td_make_parents(int root, const char *path);

#endif
