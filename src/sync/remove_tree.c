/*
 * Removal of a tree of any depth with one descriptor: on the way down each level's identity is noted, the way up
 * is ".." checked against it. A directory is scanned anew after each descent; all that came before is gone then.
 */
#include "target_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct td_level {
    struct td_level *up;
    dev_t dev;
    ino_t ino;
    char name[]; /* of the directory gone into, within this level's directory */
};

static int td_open_dir(int dir, const char *name) {
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Remove one entry. 1: it is a directory with something in it. */
static int td_remove_entry(int dir, const char *name, struct td_expired *out) {
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    bool directory = S_ISDIR(st.st_mode);
    if (td_sys.unlinkat(dir, name, directory ? AT_REMOVEDIR : 0) < 0) {
        if (directory && (errno == ENOTEMPTY || errno == EEXIST))
            return 1;
        return errno == ENOENT ? 0 : -errno;
    }
    if (directory)
        return 0;
    out->files++;
    if (S_ISREG(st.st_mode))
        out->bytes += (uint64_t)st.st_size;
    return 0;
}

/* Remove what can be removed from the directory `fd`. 1: `name` is a directory that must be emptied first. */
static int td_remove_entries(int fd, char name[NAME_MAX + 1], struct td_expired *out) {
    TD_AUTOCLOSE int scan = td_open_dir(fd, ".");
    if (scan < 0)
        return scan;
    DIR *dir = fdopendir(scan);
    if (!dir)
        return -errno;
    td_take_fd(&scan);
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (errno = 0, entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = td_remove_entry(fd, entry->d_name, out);
        if (rc > 0)
            memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
    }
    if (rc == 0 && errno != 0)
        rc = -errno;
    closedir(dir);
    return rc;
}

static int td_level_down(int *fd, struct td_level **levels, const char *name) {
    struct stat st;
    if (fstat(*fd, &st) < 0)
        return -errno;
    int child = td_open_dir(*fd, name);
    if (child < 0)
        return child;
    size_t len = strlen(name) + 1;
    struct td_level *level = malloc(sizeof(*level) + len);
    if (!level) {
        close(child);
        return -ENOMEM;
    }
    *level = (struct td_level){.up = *levels, .dev = st.st_dev, .ino = st.st_ino};
    memcpy(level->name, name, len);
    *levels = level;
    close(*fd);
    *fd = child;
    return 0;
}

/* Back to the directory above, and remove the one that we come from, which is empty now. */
static int td_level_up(int *fd, struct td_level **levels) {
    TD_AUTOFREE struct td_level *level = *levels;
    *levels = level->up;
    TD_AUTOCLOSE int above = td_open_dir(*fd, "..");
    struct stat st;
    if (above < 0)
        return above;
    if (fstat(above, &st) < 0)
        return -errno;
    if (st.st_dev != level->dev || st.st_ino != level->ino)
        return -ESTALE; /* somebody moved it away: what is above now is not ours to touch */
    if (td_sys.unlinkat(above, level->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return -errno;
    close(*fd);
    *fd = td_take_fd(&above);
    return 0;
}

int td_remove_tree(int dir, const char *name, struct td_expired *out) {
    int rc = td_remove_entry(dir, name, out);
    if (rc <= 0)
        return rc;
    struct td_level *levels = NULL;
    int fd = td_open_dir(dir, name);
    if (fd < 0)
        return fd;
    char next[NAME_MAX + 1];
    for (;;) {
        rc = td_remove_entries(fd, next, out);
        if (rc > 0)
            rc = td_level_down(&fd, &levels, next);
        else if (rc == 0 && levels)
            rc = td_level_up(&fd, &levels);
        else
            break;
        if (rc < 0)
            break;
    }
    close(fd);
    while (levels) {
        struct td_level *level = levels;
        levels = level->up;
        free(level);
    }
    if (rc == 0 && td_sys.unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = -errno;
    return rc;
}
