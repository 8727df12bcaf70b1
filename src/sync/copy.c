/* The reading side of a copy: one read of the medium, hashed, and given to one or two members. */
#include "target_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <string.h>

#define TD_COPY_TRIES 3

struct td_copy {
    struct td_target *const *targets;
    int count;
    int root;
    const struct td_op *op;
    const uint8_t *expect;
    struct td_copy_read *read;
    struct td_medium medium;
    struct td_digest *digest;
    void *buffer; /* TD_READ_SIZE; NULL after it has been handed on */
};

static bool td_copy_wanted(const struct td_copy *copy) {
    for (int i = 0; i < copy->count; i++)
        if (td_target_state(copy->targets[i]) == TD_TARGET_OK)
            return true;
    return false;
}

static void td_copy_begin(const struct td_copy *copy) {
    uint64_t allocated = (uint64_t)copy->medium.before.st_blocks * 512;
    for (int i = 0; i < copy->count; i++) {
        struct td_packet *packet = td_packet_new(TD_PACKET_BEGIN);
        packet->task = td_task_new(copy->op, copy->root);
        packet->size = copy->medium.size;
        packet->need = allocated < packet->size ? allocated : packet->size;
        td_queue_push(copy->targets[i], packet);
    }
}

static void td_copy_restart(const struct td_copy *copy) {
    for (int i = 0; i < copy->count; i++)
        td_queue_push(copy->targets[i], td_packet_new(TD_PACKET_RESTART));
}

static void td_copy_fail(const struct td_copy *copy, int errnum, const char *text) {
    for (int i = 0; i < copy->count; i++) {
        struct td_packet *packet = td_packet_new(TD_PACKET_FAIL);
        packet->task = td_task_new(copy->op, copy->root);
        td_task_fail(packet->task, errnum, text);
        td_queue_push(copy->targets[i], packet);
    }
}

static int td_copy_end(const struct td_copy *copy) {
    struct td_copy_read *read[2] = {NULL, NULL};
    for (int i = 0; i < copy->count; i++) {
        read[i] = malloc(sizeof(*read[i]));
        if (!read[i]) {
            free(read[0]);
            return -ENOMEM;
        }
        *read[i] = *copy->read;
    }
    for (int i = 0; i < copy->count; i++) {
        struct td_packet *packet = td_packet_new(TD_PACKET_END);
        packet->read = read[i];
        td_queue_push(copy->targets[i], packet);
    }
    return 0;
}

/* The bytes just read as a piece of their own. A large one takes the buffer along; a small one must not hold a
 * megabyte while it waits. */
static struct td_piece *td_copy_take(struct td_copy *copy, size_t len) {
    if (len > TD_READ_SIZE / 2)
        return td_piece_new(td_take_ptr(&copy->buffer), len);
    void *data = malloc(len);
    if (!data)
        return NULL;
    memcpy(data, copy->buffer, len);
    return td_piece_new(data, len);
}

static int td_copy_send(struct td_copy *copy, uint64_t offset, size_t len) {
    struct td_piece *piece = td_copy_take(copy, len);
    if (!piece)
        return -ENOMEM;
    for (int i = 0; i < copy->count; i++) {
        struct td_packet *packet = td_packet_new(TD_PACKET_DATA);
        packet->piece = td_piece_ref(piece);
        packet->offset = offset;
        td_queue_push(copy->targets[i], packet);
    }
    td_piece_drop(piece);
    return 0;
}

/* Read to the end. 0 or a negative errno; -ESHUTDOWN: nobody is left to write for. */
static int td_copy_pieces(struct td_copy *copy) {
    uint64_t offset, len, total = 0;
    bool hole;
    int rc = td_digest_start(copy->digest);
    while (rc == 0) {
        if (!td_copy_wanted(copy))
            return -ESHUTDOWN;
        if (!copy->buffer && !(copy->buffer = td_buffer_new(TD_READ_SIZE)))
            return -ENOMEM;
        int more = td_medium_next(&copy->medium, copy->buffer, &offset, &len, &hole);
        if (more < 0)
            return more;
        if (more == 0)
            return total == copy->medium.size ? 0 : -EIO; /* unless it has changed: the caller looks */
        total += len;
        if (copy->op->reading)
            copy->op->reading(copy->op->ctx, total);
        rc = hole ? td_digest_add_zeros(copy->digest, len) : td_digest_add(copy->digest, copy->buffer, (size_t)len);
        if (rc == 0 && !hole)
            rc = td_copy_send(copy, offset, (size_t)len);
    }
    return rc;
}

/* Describe what is being read. 1: the path has become something else. */
static int td_copy_describe(struct td_copy *copy) {
    const struct stat *st = &copy->medium.before;
    struct td_entry *entry = &copy->read->entry;
    const char *name;
    TD_AUTOCLOSE int parent = td_open_holder(copy->root, copy->op->path, &name);
    int rc = parent < 0 ? parent : td_entry_read(parent, name, entry);
    if (rc < 0)
        return rc;
    bool same = entry->dev == st->st_dev && entry->ino == st->st_ino && entry->size == (uint64_t)st->st_size &&
                td_same_time(&entry->mtime, &st->st_mtim) && td_same_time(&entry->ctime, &st->st_ctim);
    if (entry->target) /* a symlink has taken the file's place */
        td_cleanup_ptr(&entry->target);
    entry->target = NULL;
    return same ? 0 : 1;
}

/* Read what has been opened. 1: it changed meanwhile. */
static int td_copy_read(struct td_copy *copy) {
    int rc = td_copy_describe(copy);
    if (rc != 0)
        return rc;
    rc = td_copy_pieces(copy);
    if (rc == -ESHUTDOWN)
        return rc;
    int changed = td_medium_changed(&copy->medium);
    if (changed != 0)
        return changed;
    return rc < 0 ? rc : td_digest_end(copy->digest, copy->read->hash);
}

/* One attempt. 1: begin anew. What was sent has been taken back then. */
static int td_copy_try(struct td_copy *copy) {
    int rc = td_medium_open(copy->root, copy->op->path, &copy->medium, NULL);
    if (rc < 0)
        return rc;
    td_copy_begin(copy);
    rc = td_copy_read(copy);
    td_medium_close(&copy->medium);
    if (rc > 0)
        td_copy_restart(copy);
    return rc;
}

static enum td_copy_status td_copy_conclude(const struct td_copy *copy, int rc) {
    if (rc > 0) {
        copy->read->error = EAGAIN;
        td_copy_fail(copy, EAGAIN, "it changed each time it was read");
        return TD_COPY_CHANGING;
    }
    if (rc == 0 && copy->expect && memcmp(copy->expect, copy->read->hash, TD_HASH_LEN) != 0) {
        copy->read->error = EUCLEAN;
        td_copy_fail(copy, EUCLEAN, "the copy that was to be taken over is not the right one either");
        return TD_COPY_MISMATCH;
    }
    if (rc == 0)
        rc = td_copy_end(copy);
    if (rc == 0)
        return TD_COPY_READ;
    copy->read->error = -rc;
    td_copy_fail(copy, -rc, NULL);
    return TD_COPY_UNREADABLE;
}

enum td_copy_status td_target_copy(struct td_target *const *targets, int count, int root, const struct td_op *op,
                                   const uint8_t *expect, struct td_copy_read *read) {
    struct td_copy copy = {
        .targets = targets,
        .count = count,
        .root = root,
        .op = op,
        .expect = expect,
        .read = read,
        .medium = {.fd = -1},
    };
    *read = (struct td_copy_read){0};
    copy.digest = td_digest_new(NULL);
    int rc = !copy.digest ? -ENOMEM : td_copy_wanted(&copy) ? 1 : -ESHUTDOWN;
    for (int try = 0; rc > 0 && try < TD_COPY_TRIES; try++)
        rc = td_copy_try(&copy);
    enum td_copy_status status = td_copy_conclude(&copy, rc);
    td_digest_free(copy.digest);
    free(copy.buffer);
    return status;
}
