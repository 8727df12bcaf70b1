/* A content by its SHA-256: wherever a member has it, and proven before it is given out. */
#include "restore_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Contents that are being looked for: a delta must not lead back to itself. */
struct seeking {
    const struct seeking *above;
    struct td_restoring *restoring;
    const char *path;
    const uint8_t *hash;
    enum td_side side;
    int fd;
    int error; /* of this machine: ends it */
};

static int seek_content(const struct seeking *above, struct td_restoring *restoring, const char *path,
                        const uint8_t hash[TD_HASH_LEN], int fd);

static bool is_ours(int error) { /* the place where it is written, not the member that is read */
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -ENOMEM || error == -ECANCELED;
}

static int empty(int fd) {
    return ftruncate(fd, 0) != 0 ? -errno : 0;
}

/* Copy from the medium, zeros and holes left out. 0, 1: it is another content, or a negative errno. */
static int copy_proven(struct seeking *seeking, int from) {
    struct td_medium medium;
    struct td_digest *digest = td_digest_new(NULL);
    uint8_t hash[TD_HASH_LEN];
    uint64_t offset, len;
    bool hole;
    int more = 1, rc = td_medium_attach(from, &medium, NULL);
    if (rc != 0 || digest == NULL) {
        td_digest_free(digest);
        return rc != 0 ? rc : -ENOMEM;
    }
    rc = td_digest_start(digest);
    while (rc == 0 && (more = td_medium_next(&medium, seeking->restoring->buffer, &offset, &len, &hole)) > 0) {
        rc = hole ? td_digest_add_zeros(digest, len) : td_digest_add(digest, seeking->restoring->buffer, (size_t)len);
        if (rc == 0 && !hole)
            rc = td_pwrite_all(seeking->fd, seeking->restoring->buffer, (size_t)len, (off_t)offset);
        if (rc == 0)
            rc = seeking->restoring->watch.tick(seeking->restoring->watch.ctx);
    }
    rc = rc != 0 ? rc : more;
    if (rc == 0 && ftruncate(seeking->fd, (off_t)medium.size) != 0)
        rc = -errno;
    if (rc == 0)
        rc = td_digest_end(digest, hash);
    td_digest_free(digest);
    td_medium_close(&medium);
    return rc != 0 ? rc : memcmp(hash, seeking->hash, TD_HASH_LEN) != 0;
}

static int patch_proven(struct seeking *seeking, int delta, const uint8_t base_hash[TD_HASH_LEN]) {
    struct td_restoring *restoring = seeking->restoring;
    struct td_delta_sums sums;
    TD_AUTOCLOSE int base = openat(restoring->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (base < 0)
        return -errno;
    int rc = seek_content(seeking, restoring, seeking->path, base_hash, base);
    if (rc != 0)
        return rc;
    rc = td_delta_patch(base, delta, seeking->fd, &restoring->watch, &sums, NULL);
    return rc != 0 ? rc : memcmp(sums.version, seeking->hash, TD_HASH_LEN) != 0;
}

static void tell_damage(struct seeking *seeking, const struct td_source *source, int rc) {
    TD_AUTOBUF struct td_buf what = {0};
    td_buf_printf(&what, "the copy on member %c", seeking->side == TD_A ? 'A' : 'B');
    if (source->place != NULL)
        td_buf_printf(&what, " in history/%s", source->place);
    else if (source->path != NULL && strcmp(source->path, seeking->path) != 0)
        td_buf_printf(&what, " at %s", source->path);
    td_buf_printf(&what, " is damaged%s%s", rc < 0 ? ": " : "", rc < 0 ? strerror(-rc) : "");
    seeking->restoring->damaged++;
    td_restore_trouble(seeking->restoring, seeking->path, what.data);
}

/* 1: the content is there. */
static int try_source(void *ctx, const struct td_source *source) {
    struct seeking *seeking = ctx;
    struct td_restoring *restoring = seeking->restoring;
    int root = source->path != NULL ? restoring->live[seeking->side] : restoring->history[seeking->side];
    int from =
        root < 0 ? -ENOENT
                 : td_open_beneath(root, source->path != NULL ? source->path : source->place, O_RDONLY | O_NONBLOCK, 0);
    if (from == -ENOENT || from == -ENOTDIR)
        return 0;
    int rc = from < 0 ? from : empty(seeking->fd);
    if (rc == 0 && source->kind == TD_VERSION_DELTA) {
        rc = patch_proven(seeking, from, source->base);
        close(from);
    } else if (rc == 0) {
        rc = copy_proven(seeking, from);
    } else if (from >= 0) {
        close(from);
    }
    if (rc == 0)
        return 1;
    if (is_ours(rc)) {
        seeking->error = rc;
        return 1;
    }
    if (rc != -ENOENT) /* what the delta stands on is missing: that says so itself */
        tell_damage(seeking, source, rc);
    return 0;
}

static int seek_content(const struct seeking *above, struct td_restoring *restoring, const char *path,
                        const uint8_t hash[TD_HASH_LEN], int fd) {
    struct seeking seeking = {.above = above, .restoring = restoring, .path = path, .hash = hash, .fd = fd};
    for (const struct seeking *up = above; up != NULL; up = up->above)
        if (memcmp(up->hash, hash, TD_HASH_LEN) == 0)
            return -ENOENT;
    uint64_t damaged = restoring->damaged;
    for (int side = TD_A; side <= TD_B; side++) {
        if (restoring->live[side] < 0 && restoring->history[side] < 0)
            continue;
        seeking.side = (enum td_side)side;
        int rc = td_ledger_find(restoring->ledger, restoring->pair->id, seeking.side, hash, try_source, &seeking,
                                restoring->err);
        if (rc < 0 || seeking.error != 0)
            return rc < 0 ? rc : seeking.error;
        if (rc > 0) {
            restoring->fell_back += damaged != restoring->damaged;
            return 0;
        }
    }
    return -ENOENT;
}

int td_restore_content(struct td_restoring *restoring, const char *path, const uint8_t hash[TD_HASH_LEN], int fd) {
    return seek_content(NULL, restoring, path, hash, fd);
}

/* --- extended attributes ------------------------------------------------------------------------------------- */

struct holder {
    struct td_restoring *restoring;
    const uint8_t *xattrs;
    enum td_side side;
    int dir;
    char *name;
};

static int try_holder(void *ctx, const struct td_source *source) {
    struct holder *holder = ctx;
    int root = source->path != NULL ? holder->restoring->live[holder->side] : holder->restoring->history[holder->side];
    const char *path = source->path != NULL ? source->path : source->place, *name = path;
    uint8_t digest[TD_HASH_LEN];
    if (root < 0)
        return 0;
    TD_AUTOCLOSE int dir =
        *path == '\0' ? openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : td_open_parent(root, path, &name);
    if (dir < 0 || td_xattr_digest(dir, name, digest) != 0 || memcmp(digest, holder->xattrs, TD_HASH_LEN) != 0)
        return 0;
    holder->name = strdup(name);
    holder->dir = td_take_fd(&dir);
    return holder->name != NULL ? 1 : -ENOMEM;
}

int td_restore_attributes(struct td_restoring *restoring, const uint8_t xattrs[TD_HASH_LEN], char **name) {
    struct holder holder = {.restoring = restoring, .xattrs = xattrs, .dir = -ENOENT};
    for (int side = TD_A; side <= TD_B && holder.dir < 0; side++) {
        holder.side = (enum td_side)side;
        int rc = td_ledger_find_xattrs(restoring->ledger, restoring->pair->id, holder.side, xattrs, try_holder, &holder,
                                       restoring->err);
        if (rc < 0)
            return rc;
    }
    *name = holder.name;
    return holder.dir;
}

int td_restore_attributes_left(struct td_restoring *restoring, const struct td_entry *entry, const char *path,
                               char **name) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_entry have = {0};
        const char *last = path;
        int root = restoring->live[side];
        if (root < 0)
            continue;
        TD_AUTOCLOSE int dir =
            *path == '\0' ? openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : td_open_parent(root, path, &last);
        if (dir < 0 || td_entry_read(dir, last, &have) != 0)
            continue;
        free((char *)(uintptr_t)have.target);
        memcpy(have.xattrs, entry->xattrs, sizeof have.xattrs);
        if (((have.mode ^ entry->mode) & S_IFMT) != 0 || !td_entry_kept_attributes(entry, &have))
            continue;
        *name = strdup(last);
        return *name != NULL ? td_take_fd(&dir) : -ENOMEM;
    }
    return -ENOENT;
}
