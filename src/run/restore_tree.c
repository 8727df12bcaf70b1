/* A tree made anew below a directory: nothing that is there is overwritten. */
#include "restore_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct td_late_directory {
    struct td_late_directory *next;
    struct td_entry entry;
    char path[];
};

/* The first path of a group of hard links. */
struct first_link {
    uint64_t dev, ino;
    uint8_t hash[TD_HASH_LEN];
    char *path;
};

static int compare_links(const void *one, const void *two) {
    const struct first_link *a = one, *b = two;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return memcmp(a->hash, b->hash, TD_HASH_LEN);
}

/* The path that this one is a link of; NULL: it is the first, and has been noted. */
static const char *first_of(struct td_restoring *restoring, const struct td_state *state) {
    struct first_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->dev = state->entry.dev;
    link->ino = state->entry.ino;
    memcpy(link->hash, state->hash, TD_HASH_LEN);
    struct first_link **found = tsearch(link, &restoring->linked, compare_links);
    if (found == NULL || *found != link) {
        free(link);
        return found != NULL ? (*found)->path : NULL;
    }
    link->path = strdup(state->entry.path);
    return NULL;
}

static void free_link(void *node) {
    struct first_link *link = node;
    free(link->path);
    free(link);
}

/* A link whose first path did not come to be is the first itself. */
static void forget_link(struct td_restoring *restoring, const struct td_state *state) {
    struct first_link key = {.dev = state->entry.dev, .ino = state->entry.ino};
    memcpy(key.hash, state->hash, TD_HASH_LEN);
    struct first_link **found = tfind(&key, &restoring->linked, compare_links);
    if (found == NULL)
        return;
    struct first_link *link = *found;
    tdelete(&key, &restoring->linked, compare_links);
    free_link(link);
}

/* --- attributes ------------------------------------------------------------------------------------------------- */

static int give_attributes(struct td_restoring *restoring, const struct td_entry *entry, const char *path, int dir,
                           const char *name) {
    TD_AUTOFREE char *holder = NULL;
    struct td_error err = {0};
    int from = restoring->blank;
    const char *what = "";
    TD_AUTOCLOSE int found = -1;
    if (!td_hash_is_zero(entry->xattrs)) {
        found = td_restore_attributes(restoring, entry->xattrs, &holder);
        bool all = found != -ENOENT;
        if (!all)
            found = td_restore_attributes_left(restoring, entry, path, &holder);
        if (found < 0 && found != -ENOENT)
            return found;
        if (!all)
            td_restore_trouble(restoring, path,
                               found >= 0 ? "it comes without extended attributes that did not fit on the disks"
                                          : "its extended attributes are on no disk that is docked");
        restoring->failed += !all;
    }
    if (found >= 0) {
        from = found;
        what = holder;
    }
    if (td_attributes_apply(entry, from, what, dir, name, &err) == 0)
        return 0;
    restoring->failed++;
    td_restore_trouble(restoring, path, err.text);
    return 0;
}

/* --- things ------------------------------------------------------------------------------------------------------- */

static int put_off(struct td_restoring *restoring, const struct td_entry *entry) {
    size_t len = strlen(entry->path) + 1;
    struct td_late_directory *late = malloc(sizeof *late + len);
    if (late == NULL)
        return -ENOMEM;
    late->entry = *entry;
    memcpy(late->path, entry->path, len);
    late->entry.path = late->path;
    late->next = restoring->late; /* the deepest first */
    restoring->late = late;
    return 0;
}

static int make_directory(struct td_restoring *restoring, const struct td_entry *entry, int dir, const char *name) {
    struct stat st;
    if (*entry->path != '\0' && mkdirat(dir, name, 0700) != 0) {
        if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
            return -errno;
        return 0; /* one that is there keeps its attributes */
    }
    restoring->directories++;
    return put_off(restoring, entry);
}

static int link_to(struct td_restoring *restoring, const char *first, int dir, const char *name) {
    const char *from;
    TD_AUTOCLOSE int parent = td_open_parent(restoring->dir, first, &from);
    if (parent < 0)
        return parent;
    if (linkat(parent, from, dir, name, 0) != 0)
        return -errno;
    restoring->links++;
    return 0;
}

static int make_special(struct td_restoring *restoring, const struct td_state *state, int dir, const char *name) {
    const struct td_entry *entry = &state->entry;
    const char *first = entry->nlink > 1 ? first_of(restoring, state) : NULL;
    if (first != NULL)
        return link_to(restoring, first, dir, name);
    int rc = S_ISLNK(entry->mode) ? symlinkat(entry->target != NULL ? entry->target : "", dir, name)
                                  : mknodat(dir, name, (entry->mode & S_IFMT) | 0600, (dev_t)entry->rdev);
    if (rc != 0) {
        rc = -errno;
        if (entry->nlink > 1)
            forget_link(restoring, state);
        return rc;
    }
    restoring->others++;
    return give_attributes(restoring, entry, entry->path, dir, name);
}

static int make_file(struct td_restoring *restoring, const struct td_state *state, int dir, const char *name) {
    const char *first = state->entry.nlink > 1 ? first_of(restoring, state) : NULL;
    if (first != NULL) {
        int linked = link_to(restoring, first, dir, name);
        restoring->files += linked == 0;
        return linked;
    }
    TD_AUTOCLOSE int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : td_restore_content(restoring, state->entry.path, state->hash, fd);
    if (rc == 0)
        rc = give_attributes(restoring, &state->entry, state->entry.path, dir, name);
    if (rc == 0) {
        restoring->files++;
        restoring->bytes += state->entry.size;
        return 0;
    }
    if (fd >= 0)
        unlinkat(dir, name, 0);
    if (state->entry.nlink > 1)
        forget_link(restoring, state);
    return rc;
}

static int open_place(struct td_restoring *restoring, const char *path, const char **name) {
    *name = "";
    if (*path == '\0')
        return openat(restoring->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int dir = td_open_parent(restoring->dir, path, name);
    if (dir != -ENOENT)
        return dir;
    int rc = td_make_parents(restoring->dir, path);
    return rc != 0 ? rc : td_open_parent(restoring->dir, path, name);
}

int td_restore_state(struct td_restoring *restoring, const struct td_state *state) {
    const struct td_entry *entry = &state->entry;
    const char *name;
    int stopped = restoring->watch.tick(restoring->watch.ctx);
    if (stopped != 0)
        return stopped;
    restoring->found = true;
    if (S_ISREG(entry->mode) && !state->has_hash)
        return 0; /* nobody ever had it */
    TD_AUTOCLOSE int dir = open_place(restoring, entry->path, &name);
    int rc = dir < 0                ? dir
             : S_ISDIR(entry->mode) ? make_directory(restoring, entry, dir, name)
             : S_ISREG(entry->mode) ? make_file(restoring, state, dir, name)
                                    : make_special(restoring, state, dir, name);
    if (rc == 0)
        return 0;
    if (rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM || rc == -ECANCELED || rc == -EROFS)
        return td_fail(restoring->err, -rc, "cannot write %s", entry->path);
    restoring->failed++;
    td_restore_trouble(restoring, entry->path,
                       rc == -EEXIST   ? "something of that name is there already, and was left alone"
                       : rc == -ENOENT ? "no disk that is docked has this version"
                                       : strerror(-rc));
    return 0;
}

int td_restore_finish_tree(struct td_restoring *restoring) {
    int rc = 0;
    for (const struct td_late_directory *late = restoring->late; late != NULL && rc == 0; late = late->next) {
        TD_AUTOCLOSE int dir = td_open_beneath(restoring->dir, late->path, O_RDONLY | O_DIRECTORY, 0);
        if (dir >= 0)
            rc = give_attributes(restoring, &late->entry, late->path, dir, "");
    }
    return rc;
}

void td_restore_free_tree(struct td_restoring *restoring) {
    while (restoring->late != NULL) {
        struct td_late_directory *next = restoring->late->next;
        free(restoring->late);
        restoring->late = next;
    }
    tdestroy(restoring->linked, free_link);
    restoring->linked = NULL;
}
