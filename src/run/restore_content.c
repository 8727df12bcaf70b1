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

/* A place that may have a content, or a delta that makes it. */
struct origin {
    enum td_side side;
    bool live, left, bad;
    char *path; /* in the collection, or below .twindock/history/ */
    uint8_t stored[TD_HASH_LEN];
    uint64_t size; /* of the version, for a delta; 0: not known */
};

/* A content that would do: the one that is wanted (the first), or one that a delta makes the one above from. */
struct content {
    uint8_t hash[TD_HASH_LEN];
    size_t above;        /* the content that is made from it */
    struct origin *with; /* by this delta */
};

/* The search for one content. What was found damaged stays so till its end: each attempt that fails rules out one more
 * place, so there are no more attempts than places. */
struct seeking {
    struct td_restoring *restoring;
    const char *path;
    int fd;
    struct content *contents;
    size_t count, room;
    struct origin **origins;
    size_t origin_count, origin_room;
    /* The attempt under way. */
    size_t looking;
    enum td_side side;
    struct origin *base;
    int from; /* descriptor of the base; -1: there is none */
};

static bool is_ours(int error) { /* the place where it is written or this process, not the member that is read */
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -ENOMEM || error == -ECANCELED ||
           error == -EMFILE || error == -ENFILE;
}

/* Copy from the medium, zeros and holes left out; takes `from` over. 0, 1: it is another content, or a negative
 * errno. */
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
    return rc != 0 ? rc : memcmp(hash, seeking->contents[0].hash, TD_HASH_LEN) != 0;
}

static void tell_damage(struct seeking *seeking, struct origin *origin, int rc) {
    TD_AUTOBUF struct td_buf what = {0};
    origin->bad = true;
    if (origin->left) /* it was no more than a guess */
        return;
    td_buf_printf(&what, "the copy on member %c", origin->side == TD_A ? 'A' : 'B');
    if (!origin->live)
        td_buf_printf(&what, " in history/%s", origin->path);
    else if (strcmp(origin->path, seeking->path) != 0)
        td_buf_printf(&what, " at %s", origin->path);
    td_buf_printf(&what, " is damaged%s%s", rc < 0 ? ": " : "", rc < 0 ? strerror(-rc) : "");
    seeking->restoring->damaged++;
    td_restore_trouble(seeking->restoring, seeking->path, what.data);
}

/* --- the shortest way to it -------------------------------------------------------------------------------------- */

static int grow(void **list, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return 0;
    size_t more = *room == 0 ? 16 : 2 * *room;
    void *grown = realloc(*list, more * size);
    if (grown == NULL)
        return -ENOMEM;
    *list = grown;
    *room = more;
    return 0;
}

static struct origin *note_origin(struct seeking *seeking, const struct td_source *source) {
    const char *path = source->path != NULL ? source->path : source->place;
    for (size_t i = 0; i < seeking->origin_count; i++) {
        struct origin *known = seeking->origins[i];
        if (known->side == seeking->side && known->live == (source->path != NULL) && strcmp(known->path, path) == 0)
            return known;
    }
    void *list = seeking->origins;
    struct origin *origin = calloc(1, sizeof *origin);
    if (origin == NULL || grow(&list, seeking->origin_count, &seeking->origin_room, sizeof(struct origin *)) != 0 ||
        (origin->path = strdup(path)) == NULL) {
        seeking->origins = list;
        free(origin);
        return NULL;
    }
    seeking->origins = list;
    origin->side = seeking->side;
    origin->live = source->path != NULL;
    origin->left = source->left;
    origin->size = source->size;
    memcpy(origin->stored, source->stored, TD_HASH_LEN);
    return seeking->origins[seeking->origin_count++] = origin;
}

static int add_content(struct seeking *seeking, const uint8_t hash[TD_HASH_LEN], struct origin *with) {
    for (size_t i = 0; i < seeking->count; i++)
        if (memcmp(seeking->contents[i].hash, hash, TD_HASH_LEN) == 0)
            return 0;
    void *list = seeking->contents;
    int rc = grow(&list, seeking->count, &seeking->room, sizeof *seeking->contents);
    seeking->contents = list;
    if (rc != 0)
        return rc;
    struct content *content = &seeking->contents[seeking->count++];
    *content = (struct content){.above = seeking->looking, .with = with};
    memcpy(content->hash, hash, TD_HASH_LEN);
    return 0;
}

static int open_origin(const struct seeking *seeking, const struct origin *origin) {
    const struct td_restoring *restoring = seeking->restoring;
    int root = origin->live ? restoring->live[origin->side] : restoring->history[origin->side];
    return root < 0 ? -ENOENT : td_open_beneath(root, origin->path, O_RDONLY | O_NONBLOCK, 0);
}

static bool may_be(int fd, const struct td_source *source) {
    struct stat st;
    return !source->left || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == source->size &&
                             st.st_mtim.tv_sec == source->mtime.tv_sec && st.st_mtim.tv_nsec == source->mtime.tv_nsec);
}

/* 1: what is whole is found, and open. */
static int look_at(void *ctx, const struct td_source *source) {
    struct seeking *seeking = ctx;
    struct origin *origin = note_origin(seeking, source);
    if (origin == NULL)
        return -ENOMEM;
    if (origin->bad)
        return 0;
    if (source->kind == TD_VERSION_DELTA)
        return add_content(seeking, source->base, origin);
    int fd = open_origin(seeking, origin);
    if (fd >= 0 && may_be(fd, source)) {
        seeking->from = fd;
        seeking->base = origin;
        return 1;
    }
    if (fd >= 0)
        close(fd);
    else if (is_ours(fd))
        return fd;
    else if (fd != -ENOENT && fd != -ENOTDIR)
        tell_damage(seeking, origin, fd);
    return 0;
}

/* The whole content that the fewest deltas lead to: seeking->looking, seeking->from. 1: found, 0: there is none. */
static int find_way(struct seeking *seeking) {
    struct td_restoring *restoring = seeking->restoring;
    seeking->count = 1;
    for (seeking->looking = 0; seeking->looking < seeking->count; seeking->looking++) {
        uint8_t hash[TD_HASH_LEN]; /* the list may move */
        memcpy(hash, seeking->contents[seeking->looking].hash, TD_HASH_LEN);
        int rc = restoring->watch.tick(restoring->watch.ctx);
        for (int side = TD_A; side <= TD_B && rc == 0; side++) {
            if (restoring->live[side] < 0 && restoring->history[side] < 0)
                continue;
            seeking->side = (enum td_side)side;
            rc = td_ledger_find(restoring->ledger, restoring->pair->id, seeking->side, hash, look_at, seeking,
                                restoring->err);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* --- along it ---------------------------------------------------------------------------------------------------- */

/* 1: there is no such delta. */
static int open_delta(const struct seeking *seeking, struct origin *origin, int *fd) {
    *fd = open_origin(seeking, origin);
    if (*fd != -ENOENT && *fd != -ENOTDIR)
        return *fd < 0 && is_ours(*fd) ? *fd : 0;
    origin->bad = true; /* not there, and not damaged */
    return 1;
}

/* 0, a negative errno of this process, or 1: it is told as damaged. */
static int judge_delta(struct seeking *seeking, struct origin *origin, int rc, const struct td_delta_sums *sums) {
    if (is_ours(rc) || rc == -E2BIG)
        return rc;
    if (rc == 0 && (td_hash_is_zero(origin->stored) || memcmp(sums->delta, origin->stored, TD_HASH_LEN) == 0))
        return 0;
    tell_damage(seeking, origin, rc);
    return 1;
}

static int take_delta(struct seeking *seeking, struct origin *origin, int out, struct td_delta_spans *wanted) {
    struct td_delta_sums sums = {0};
    TD_AUTOCLOSE int delta = -1;
    int rc = origin->size > 0 ? open_delta(seeking, origin, &delta) : -E2BIG; /* without it each step bounds the next */
    if (rc != 0)
        return rc;
    rc =
        delta < 0 ? delta : td_delta_resolve(delta, origin->size, out, wanted, &seeking->restoring->watch, &sums, NULL);
    return judge_delta(seeking, origin, rc, &sums);
}

/* One step, in little memory. */
static int patch(struct seeking *seeking, struct origin *origin, int base, int out) {
    struct td_delta_sums sums = {0};
    TD_AUTOCLOSE int delta = -1;
    int rc = open_delta(seeking, origin, &delta);
    if (rc != 0)
        return rc;
    rc = delta < 0 ? delta : td_delta_patch(base, delta, out, &seeking->restoring->watch, &sums, NULL);
    return judge_delta(seeking, origin, rc, &sums);
}

static int go_along(struct seeking *seeking, struct origin **deltas, size_t count, int base, int out);

/* What the first few make, from a version that the others have made in a file of its own. */
static int go_in_parts(struct seeking *seeking, struct origin **deltas, size_t count, size_t few, int base, int out) {
    TD_AUTOCLOSE int between = -1;
    int rc = 0;
    if (few < count) {
        between = openat(seeking->restoring->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        rc = between < 0 ? -errno : go_along(seeking, deltas + few, count - few, base, between);
        base = between;
    }
    if (rc == 0 && ftruncate(out, 0) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    return few > 1 ? go_along(seeking, deltas, few, base, out) : patch(seeking, deltas[0], base, out);
}

/* The version that the first of some deltas makes, through all of them at once where memory holds that. 1: one of them
 * is no good. */
static int go_along(struct seeking *seeking, struct origin **deltas, size_t count, int base, int out) {
    struct td_delta_spans wanted = {.most = seeking->restoring->spans};
    size_t done = 0;
    int rc = td_delta_spans_all(&wanted);
    for (; rc == 0 && done < count; done += rc == 0)
        rc = take_delta(seeking, deltas[done], out, &wanted);
    if (rc == 0)
        rc = td_delta_complete(base, out, &wanted, &seeking->restoring->watch, NULL);
    td_delta_spans_free(&wanted);
    if (rc == -E2BIG)
        return go_in_parts(seeking, deltas, count, done > 0 ? done : 1, base, out);
    return rc == 0 && ftruncate(out, (off_t)deltas[0]->size) != 0 ? -errno : rc;
}

/* All of a file, as it can be read back. */
static int hash_of(struct seeking *seeking, int fd, uint8_t hash[TD_HASH_LEN]) {
    struct td_restoring *restoring = seeking->restoring;
    struct td_digest *digest = td_digest_new(NULL);
    ssize_t got = 1;
    int rc = digest != NULL ? td_digest_start(digest) : -ENOMEM;
    for (off_t at = 0; rc == 0 && got > 0; at += got) {
        got = td_pread_all(fd, restoring->buffer, TD_READ_SIZE, at);
        rc = got < 0 ? (int)got : td_digest_add(digest, restoring->buffer, (size_t)got);
        if (rc == 0)
            rc = restoring->watch.tick(restoring->watch.ctx);
    }
    if (rc == 0)
        rc = td_digest_end(digest, hash);
    td_digest_free(digest);
    return rc;
}

/* Every delta is what was recorded, and yet it is another content. 1: whose fault it is has been told. */
static int blame(struct seeking *seeking, int base) {
    uint8_t hash[TD_HASH_LEN];
    int rc = hash_of(seeking, base, hash);
    if (is_ours(rc))
        return rc;
    if (rc != 0 || memcmp(hash, seeking->contents[seeking->looking].hash, TD_HASH_LEN) != 0) {
        tell_damage(seeking, seeking->base, rc);
        return 1;
    }
    for (size_t at = seeking->looking; at != 0; at = seeking->contents[at].above)
        seeking->contents[at].with->bad = true;
    for (size_t at = seeking->looking; at != 0; at = seeking->contents[at].above)
        if (seeking->contents[at].above == 0)
            tell_damage(seeking, seeking->contents[at].with, 0);
    return 1;
}

/* 1: one of the places on the way is no good. */
static int follow(struct seeking *seeking, int base) {
    uint8_t hash[TD_HASH_LEN];
    size_t steps = 0, left;
    for (size_t at = seeking->looking; at != 0; at = seeking->contents[at].above)
        steps++;
    TD_AUTOFREE struct origin **deltas = calloc(steps, sizeof(struct origin *));
    if (deltas == NULL)
        return -ENOMEM;
    left = steps;
    for (size_t at = seeking->looking; at != 0; at = seeking->contents[at].above)
        deltas[--left] = seeking->contents[at].with;
    int rc = go_along(seeking, deltas, steps, base, seeking->fd);
    if (rc == 0)
        rc = hash_of(seeking, seeking->fd, hash);
    if (rc == 1 || is_ours(rc) || (rc == 0 && memcmp(hash, seeking->contents[0].hash, TD_HASH_LEN) == 0))
        return rc;
    return blame(seeking, base);
}

static int attempt(struct seeking *seeking) {
    if (ftruncate(seeking->fd, 0) != 0) {
        close(seeking->from);
        return -errno;
    }
    if (seeking->looking != 0) {
        TD_AUTOCLOSE int base = seeking->from;
        return follow(seeking, base);
    }
    int rc = copy_proven(seeking, seeking->from);
    if (rc == 0 || is_ours(rc) || seeking->base == NULL)
        return rc;
    tell_damage(seeking, seeking->base, rc);
    return 1;
}

int td_restore_content(struct td_restoring *restoring, const char *path, const uint8_t hash[TD_HASH_LEN], int fd) {
    struct seeking seeking = {.restoring = restoring, .path = path, .fd = fd, .from = -1};
    uint64_t damaged = restoring->damaged;
    int rc = add_content(&seeking, hash, NULL), found = 0;
    while (rc == 0 && (found = find_way(&seeking)) > 0) {
        rc = attempt(&seeking);
        if (rc <= 0)
            break;
        rc = 0;
    }
    rc = rc != 0 ? rc : found < 0 ? found : found == 0 ? -ENOENT : 0;
    restoring->fell_back += rc == 0 && damaged != restoring->damaged;
    for (size_t i = 0; i < seeking.origin_count; i++) {
        free(seeking.origins[i]->path);
        free(seeking.origins[i]);
    }
    free(seeking.origins);
    free(seeking.contents);
    return rc;
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
