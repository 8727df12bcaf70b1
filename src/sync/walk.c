/*
 * The walker.
 *
 * A stack of frames stands for the directories from the root down to where the walk is; each holds the names of its
 * sub-directories that are still to be visited. One visit opens a directory, reads all its names, describes the
 * directory itself (so that a failure to read it can be told), then everything in it in the order of inode numbers,
 * except its sub-directories, whose names go into the new frame. The stack is an array on the heap: depth costs
 * memory, not C stack. The deepest WINDOW frames keep their directory open; a frame further up is opened again from the
 * root if there is still something to visit in it.
 */
#include "twindock/sync/walk.h"

#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/platform/extents.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/preload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW 32U             /* frames that keep their directory open */
#define NAMES_SIZE (64U << 10) /* bytes of directory read at a time */
#define AHEAD 4096U            /* sub-directories read ahead at a time */

struct frame {
    size_t path_len;     /* of the directory's path in walk.path */
    struct td_buf below; /* its sub-directories still to visit, each with its NUL */
    size_t next;         /* where in `below` the next one begins */
    size_t ahead;        /* up to here they have been read ahead */
    int fd;              /* -1: given up for now */
};

/* What one directory holds, as read from it. */
struct listing {
    struct td_buf names;
    struct item {
        uint64_t ino;
        size_t name; /* offset into names */
    } * item;
    size_t count, room;
};

struct walk {
    int root;
    const struct td_walk_options *options;
    int (*emit)(void *ctx, const struct td_entry *entry);
    void *ctx;
    struct td_error *err;
    uint64_t dev;       /* of the root */
    struct td_buf path; /* of the entry at hand */
    struct frame *frame;
    size_t depth, room;
    struct listing listing;
    char *dirents;              /* NAMES_SIZE */
    bool placeless;             /* this filesystem does not tell where files lie */
    struct td_preload *preload; /* NULL: nothing is read ahead */
};

/* The disk itself has gone; there is no use in going on. */
static bool is_lost(int error) {
    return error == ENODEV || error == ENXIO || error == ESHUTDOWN;
}

static bool is_cancelled(const struct walk *walk) {
    return walk->options->cancel && atomic_load_explicit(walk->options->cancel, memory_order_relaxed);
}

static const char *path_of(const struct walk *walk) {
    return td_buf_text(&walk->path);
}

static void path_set(struct walk *walk, size_t parent_len, const char *name) {
    if (walk->path.len > parent_len) {
        walk->path.len = parent_len;
        walk->path.data[parent_len] = '\0';
    }
    if (parent_len > 0)
        td_buf_putc(&walk->path, '/');
    td_buf_puts(&walk->path, name);
}

static int fail(struct walk *walk, int error) {
    return td_fail(walk->err, error, "cannot read /%s", path_of(walk));
}

/* Hand on an entry, with its error, and free what it owns. */
static int emit(struct walk *walk, struct td_entry *entry, int error) {
    entry->path = path_of(walk);
    entry->error = error;
    int rc = walk->emit(walk->ctx, entry);
    free((void *)(uintptr_t)entry->target); /* malloc'ed by td_entry_read */
    entry->target = NULL;
    return rc;
}

static int open_directory(int dirfd, const char *path) {
    int flags = O_RDONLY | O_DIRECTORY;
    int fd = td_open_beneath(dirfd, path, flags | O_NOATIME, 0);
    if (fd == -EPERM) /* another owner's, and we are not root */
        fd = td_open_beneath(dirfd, path, flags, 0);
    return fd;
}

static int listing_add(struct listing *listing, uint64_t ino, const char *name) {
    if (listing->count == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 256;
        struct item *item = reallocarray(listing->item, room, sizeof(*item));
        if (!item)
            return -ENOMEM;
        listing->item = item;
        listing->room = room;
    }
    listing->item[listing->count++] = (struct item){.ino = ino, .name = listing->names.len};
    td_buf_add(&listing->names, name, strlen(name) + 1);
    return 0;
}

static int by_inode(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

/* All names in the directory, in inode order. On an error, those that came before it are there. */
static int listing_read(struct walk *walk, int fd) {
    struct listing *listing = &walk->listing;
    ssize_t n;
    int rc = 0;
    listing->count = 0;
    td_buf_clear(&listing->names);
    while (rc == 0 && (n = getdents64(fd, walk->dirents, NAMES_SIZE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = -errno;
            break;
        }
        for (ssize_t at = 0; rc == 0 && at < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(walk->dirents + at);
            at += entry->d_reclen;
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                rc = listing_add(listing, entry->d_ino, entry->d_name);
        }
    }
    if (listing->count > 1)
        qsort(listing->item, listing->count, sizeof(*listing->item), by_inode);
    return rc;
}

static bool is_skipped(const struct walk *walk, size_t parent_len, const char *name) {
    const char *const *skip = walk->options->skip_top;
    if (parent_len > 0 || !skip)
        return false;
    for (; *skip; skip++)
        if (strcmp(*skip, name) == 0)
            return true;
    return false;
}

/* Find out where a file lies on its disk, so that it can be read in that order, and many at a time. Of use, never
 * needed: a file that cannot be opened is told when it is read, and a filesystem that cannot say is not asked again. */
static void locate(struct walk *walk, int dir, const char *name, struct td_entry *entry) {
    if (walk->placeless)
        return;
    TD_AUTOCLOSE int fd = td_open_beneath(dir, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return;
    int rc = td_extents_first(fd, entry->size, &entry->place, &entry->whole);
    walk->placeless = rc == -EOPNOTSUPP || rc == -ENOTTY;
}

/* Describe one name of the frame's directory, or note it for a visit when it is a directory to enter. */
static int describe(struct walk *walk, struct frame *frame, const char *name) {
    struct td_entry entry;
    if (is_skipped(walk, frame->path_len, name))
        return 0;
    path_set(walk, frame->path_len, name);
    int rc = td_entry_read(frame->fd, name, &entry);
    bool directory = S_ISDIR(entry.mode);
    if (rc == -ENOENT || td_excluded(walk->options->exclude, path_of(walk), directory)) {
        free((void *)(uintptr_t)entry.target);
        return 0;
    }
    if (is_lost(-rc))
        return fail(walk, -rc);
    if (directory && (entry.dev == walk->dev || !walk->options->one_filesystem)) {
        td_buf_add(&frame->below, name, strlen(name) + 1);
        return 0;
    }
    if (rc == 0 && S_ISREG(entry.mode) && entry.size > 0)
        locate(walk, frame->fd, name, &entry);
    return emit(walk, &entry, directory ? EXDEV : -rc);
}

/* A frame for the directory just opened; takes the descriptor over. The one that leaves the window is closed. */
static int push(struct walk *walk, int fd, struct frame **out) {
    if (walk->depth == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 64;
        struct frame *frame = reallocarray(walk->frame, room, sizeof(*frame));
        if (!frame) {
            close(fd);
            return td_fail(walk->err, ENOMEM, "walking /%s", path_of(walk));
        }
        walk->frame = frame;
        walk->room = room;
    }
    if (walk->depth >= WINDOW) {
        struct frame *old = &walk->frame[walk->depth - WINDOW];
        td_cleanup_fd(&old->fd);
        old->fd = -1;
    }
    *out = &walk->frame[walk->depth++];
    **out = (struct frame){.path_len = walk->path.len, .fd = fd};
    return 0;
}

static void pop(struct walk *walk) {
    struct frame *frame = &walk->frame[--walk->depth];
    td_cleanup_fd(&frame->fd);
    td_buf_free(&frame->below);
}

/* A directory that could not be opened, as its parent shows it. It may have become something else meanwhile. */
static int emit_closed(struct walk *walk, int parent, const char *name, int error) {
    struct td_entry entry;
    if (error == ENOENT || is_lost(error))
        return error == ENOENT ? 0 : fail(walk, error);
    int rc = td_entry_read(parent, name, &entry);
    if (rc == -ENOENT)
        return 0;
    if (S_ISDIR(entry.mode) || rc < 0)
        return emit(walk, &entry, error);
    return emit(walk, &entry, 0);
}

/* Describe the open directory, whose path is walk->path, and what it holds. Takes the descriptor over. */
static int visit_open(struct walk *walk, int fd) {
    struct td_entry entry;
    struct frame *frame = NULL;
    size_t len = walk->path.len;
    int described = td_entry_read(fd, "", &entry);
    if (len == 0)
        walk->dev = entry.dev;
    walk->listing.count = 0;
    bool enter = entry.dev == walk->dev || !walk->options->one_filesystem; /* mounted on since it was listed */
    int listed = enter ? listing_read(walk, fd) : 0;
    if (listed == -ENOENT && len > 0) { /* removed since it was opened */
        close(fd);
        return 0;
    }
    int error = !enter ? EXDEV : listed < 0 ? -listed : -described;
    if (is_lost(error) || error == ENOMEM || (error == EIO && len == 0)) {
        close(fd);
        return fail(walk, error);
    }
    int rc = emit(walk, &entry, error);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    rc = push(walk, fd, &frame);
    for (size_t i = 0; rc == 0 && i < walk->listing.count; i++) {
        if (is_cancelled(walk))
            return td_fail(walk->err, ECANCELED, "walking /%s", path_of(walk));
        rc = describe(walk, frame, walk->listing.names.data + walk->listing.item[i].name);
    }
    return rc;
}

/* Open frame `i` again. The frames in the window above it come with it: one long way from the root serves them all. */
static int reopen(struct walk *walk, size_t i) {
    size_t from = i;
    while (from > 0 && i - from < WINDOW / 2 && walk->frame[from - 1].fd < 0)
        from--;
    for (size_t at = from; at <= i; at++) {
        struct frame *frame = &walk->frame[at];
        bool near = at > 0 && walk->frame[at - 1].fd >= 0;
        size_t start = near && walk->frame[at - 1].path_len > 0 ? walk->frame[at - 1].path_len + 1 : 0;
        TD_AUTOFREE char *path = strndup(walk->path.data + start, frame->path_len - start);
        if (!path)
            return -ENOMEM;
        frame->fd = open_directory(near ? walk->frame[at - 1].fd : walk->root, path);
        if (frame->fd < 0) {
            int rc = frame->fd;
            frame->fd = -1;
            return rc;
        }
    }
    return 0;
}

/* The sub-directories that come next, in the order of their blocks: each is opened once more for it, which costs less
 * than the way of the head from one to the other and back to the inodes. */
static void read_ahead(struct walk *walk, struct frame *frame) {
    size_t at = frame->next, count = 0;
    if (!walk->preload || at < frame->ahead)
        return;
    for (; at < frame->below.len && count < AHEAD; count++) {
        const char *name = frame->below.data + at;
        at += strlen(name) + 1;
        if (count == 0 && at == frame->below.len)
            break; /* an only one is read when it is visited */
        TD_AUTOCLOSE int fd = open_directory(frame->fd, name);
        if (fd >= 0)
            td_preload_note(walk->preload, fd);
    }
    frame->ahead = at;
    td_preload_read(walk->preload);
}

/* Visit the next sub-directory of the last frame, or leave that frame. */
static int step(struct walk *walk) {
    size_t top = walk->depth - 1;
    struct frame *frame = &walk->frame[top];
    if (frame->next >= frame->below.len) {
        pop(walk);
        return 0;
    }
    int rc = frame->fd < 0 ? reopen(walk, top) : 0;
    if (rc == -ENOENT) { /* disappeared, with all that was still to visit in it */
        pop(walk);
        return 0;
    }
    const char *name = frame->below.data + frame->next;
    path_set(walk, frame->path_len, name);
    if (rc < 0) {
        struct td_entry unknown = {0};
        frame->next += strlen(name) + 1;
        return is_lost(-rc) || rc == -ENOMEM ? fail(walk, -rc) : emit(walk, &unknown, -rc);
    }
    read_ahead(walk, frame);
    frame->next += strlen(name) + 1;
    int fd = open_directory(frame->fd, name);
    return fd < 0 ? emit_closed(walk, frame->fd, name, -fd) : visit_open(walk, fd);
}

int td_walk(int root, const struct td_walk_options *options, int (*emit_entry)(void *ctx, const struct td_entry *entry),
            void *ctx, struct td_error *err) {
    struct walk walk = {.root = root, .options = options, .emit = emit_entry, .ctx = ctx, .err = err};
    walk.dirents = malloc(NAMES_SIZE);
    if (!walk.dirents)
        return td_fail(err, ENOMEM, "cannot walk a tree");
    walk.preload = options->entries > 0 ? td_preload_open(root, options->cancel) : NULL;
    td_preload_inodes(walk.preload, options->entries);
    int fd = open_directory(root, "");
    int rc = fd < 0 ? fail(&walk, -fd) : visit_open(&walk, fd);
    while (rc == 0 && walk.depth > 0)
        rc = is_cancelled(&walk) ? td_fail(err, ECANCELED, "walking /%s", path_of(&walk)) : step(&walk);
    while (walk.depth > 0)
        pop(&walk);
    free(walk.frame);
    free(walk.listing.item);
    td_buf_free(&walk.listing.names);
    td_buf_free(&walk.path);
    td_preload_close(walk.preload);
    free(walk.dirents);
    return rc;
}
