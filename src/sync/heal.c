#include "twindock/sync/heal.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAGED_MAX 48

struct healing {
    const struct td_heal *job;
    int dir; /* that holds the first name */
    const char *name;
    struct td_entry before; /* the rotted file; no texts */
    int fd;                 /* the new one */
    bool named;             /* it has the name `staged` in dir */
    char staged[STAGED_MAX];
    void *buffer;
    struct td_digest *digest;
};

static bool same_file(const struct td_entry *a, const struct td_entry *b) {
    return a->ino == b->ino && a->size == b->size && td_same_time(&a->mtime, &b->mtime) &&
           td_same_time(&a->ctime, &b->ctime);
}

static int describe(int dir, const char *name, struct td_entry *out) {
    int rc = td_entry_read(dir, name, out);
    if (rc == 0 && out->target != NULL)
        td_cleanup_ptr(&out->target);
    out->target = NULL;
    return rc;
}

static int has_changed(struct td_error *err) {
    return td_fail_text(err, ESTALE, "the source's file has changed since it was found rotten");
}

/* --- the other names ------------------------------------------------------------------------------------- */

/* The directory of one more name, which must be a name of the same inode. A descriptor or a negative errno. */
static int open_name(const struct healing *h, size_t index, const char **name) {
    struct td_entry entry;
    TD_AUTOCLOSE int dir = td_open_parent(h->job->source, h->job->names[index], name);
    int rc = dir < 0 ? dir : describe(dir, *name, &entry);
    if (rc < 0)
        return rc;
    return entry.dev == h->before.dev && entry.ino == h->before.ino ? td_take_fd(&dir) : -ESTALE;
}

static int check_names(const struct healing *h, struct td_error *err) {
    const char *name;
    for (size_t i = 1; i < h->job->name_count; i++) {
        TD_AUTOCLOSE int dir = open_name(h, i, &name);
        if (dir < 0)
            return has_changed(err);
    }
    if (h->before.nlink > h->job->name_count)
        return td_fail_text(err, EMLINK,
                            "the source's file has %u names (hard links), and %u of them are in no ledger: run first, "
                            "or copy it back by hand",
                            h->before.nlink, h->before.nlink - (unsigned)h->job->name_count);
    return 0;
}

/* --- the new file ---------------------------------------------------------------------------------------- */

static int open_staged(struct healing *h, struct td_error *err) {
    h->fd = openat(h->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (h->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        h->fd = openat(h->dir, h->staged, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        h->named = h->fd >= 0;
    }
    return h->fd < 0 ? td_fail(err, errno, "cannot write in the source") : 0;
}

static int use_piece(const struct healing *h, int to, uint64_t offset, uint64_t len, bool hole) {
    if (hole)
        return td_digest_add_zeros(h->digest, len);
    int rc = td_digest_add(h->digest, h->buffer, (size_t)len);
    return rc < 0 || to < 0 ? rc : td_pwrite_all(to, h->buffer, (size_t)len, (off_t)offset);
}

/* All of it from the medium: hashed and, where `to` is a descriptor, written there. Closes the medium. */
static int pass(const struct healing *h, struct td_medium *medium, int to, uint8_t hash[TD_HASH_LEN]) {
    uint64_t offset, len, size = medium->size;
    bool hole;
    int rc = td_digest_start(h->digest), more = 1;
    while (rc == 0 && (more = td_medium_next(medium, h->buffer, &offset, &len, &hole)) > 0) {
        rc = use_piece(h, to, offset, len, hole);
        if (rc == 0 && h->job->cancel != NULL && atomic_load(h->job->cancel))
            rc = -ECANCELED;
    }
    td_medium_close(medium);
    if (rc == 0)
        rc = more;
    if (rc == 0 && to >= 0 && td_sys.ftruncate(to, (off_t)size) < 0)
        rc = -errno;
    return rc < 0 ? rc : td_digest_end(h->digest, hash);
}

static int take_copy(struct healing *h, struct td_error *err) {
    struct td_medium medium;
    uint8_t hash[TD_HASH_LEN];
    int rc = td_medium_open(h->job->member, h->job->names[0], &medium, err);
    if (rc < 0)
        return td_wrap(err, rc, "the member's copy");
    rc = pass(h, &medium, h->fd, hash);
    if (rc < 0)
        return td_fail(err, -rc, "cannot copy it from the member");
    if (memcmp(hash, h->job->hash, TD_HASH_LEN) != 0)
        return td_fail_text(err, EUCLEAN, "the member's copy is not the one in the ledger");
    return 0;
}

static int read_back(struct healing *h, struct td_error *err) {
    struct td_medium medium;
    uint8_t hash[TD_HASH_LEN];
    if (td_sys.fsync(h->fd) < 0)
        return td_fail(err, errno, "cannot make the new file in the source durable");
    int again = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
    int rc = again < 0 ? td_fail(err, errno, "cannot read the new file back") : td_medium_attach(again, &medium, err);
    if (rc < 0)
        return rc;
    rc = pass(h, &medium, -1, hash);
    if (rc < 0)
        return td_fail(err, -rc, "cannot read the new file in the source back");
    if (memcmp(hash, h->job->hash, TD_HASH_LEN) != 0)
        return td_fail_text(err, EIO, "the new file in the source was read back different from what was written");
    return 0;
}

static int make_new(struct healing *h, struct td_error *err) {
    int rc = open_staged(h, err);
    if (rc == 0)
        rc = take_copy(h, err);
    if (rc == 0)
        rc = td_attributes_apply(&h->before, h->dir, h->name, h->fd, "", err);
    return rc == 0 ? read_back(h, err) : rc;
}

/* One that was killed may have replaced some of the file's names already: the others are to be names of the same file.
 * A new file gets its name when it is finished, so it is good if its bytes are. */
static bool take_left_over(struct healing *h) {
    snprintf(h->staged, sizeof h->staged, ".twindock-heal-%" PRIu64, h->before.ino);
    h->fd = openat(h->dir, h->staged, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    h->named = h->fd >= 0 && read_back(h, NULL) == 0;
    if (h->named)
        return true;
    td_cleanup_fd(&h->fd);
    h->fd = -1;
    (void)td_sys.unlinkat(h->dir, h->staged, 0);
    return false;
}

/* --- into its place -------------------------------------------------------------------------------------- */

static int give_name(struct healing *h) {
    char self[32];
    if (h->named)
        return 0;
    snprintf(self, sizeof self, "/proc/self/fd/%d", h->fd);
    if (td_sys.linkat(AT_FDCWD, self, h->dir, h->staged, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    h->named = true;
    return 0;
}

static int replace_other(const struct healing *h, size_t index) {
    const char *name;
    TD_AUTOCLOSE int dir = open_name(h, index, &name);
    char staged[STAGED_MAX + 4];
    if (dir < 0)
        return dir;
    snprintf(staged, sizeof staged, "%s-too", h->staged); /* it may be the same directory */
    (void)td_sys.unlinkat(dir, staged, 0);
    if (td_sys.linkat(h->dir, h->staged, dir, staged, 0) < 0)
        return -errno;
    int rc = td_sys.renameat2(dir, staged, dir, name, 0) < 0 ? -errno : 0;
    if (rc < 0)
        (void)td_sys.unlinkat(dir, staged, 0);
    return rc == 0 && td_sys.fsync(dir) < 0 ? -errno : rc;
}

static int place(struct healing *h, struct td_error *err) {
    struct td_entry now;
    int rc = describe(h->dir, h->name, &now);
    if (rc < 0 || !same_file(&now, &h->before))
        return has_changed(err);
    rc = give_name(h);
    for (size_t i = 1; rc == 0 && i < h->job->name_count; i++)
        rc = replace_other(h, i);
    if (rc == 0 && td_sys.renameat2(h->dir, h->staged, h->dir, h->name, 0) < 0)
        rc = -errno;
    if (rc == 0)
        h->named = false;
    if (rc == 0 && td_sys.fsync(h->dir) < 0)
        rc = -errno;
    return rc < 0 ? td_fail(err, -rc, "cannot put the good file into its place in the source") : 0;
}

static int heal_opened(struct healing *h, struct td_entry *healed, struct td_error *err) {
    int rc = describe(h->dir, h->name, &h->before);
    if (rc < 0)
        return td_fail(err, -rc, "the source's file");
    if (!S_ISREG(h->before.mode) || !same_file(&h->before, h->job->known))
        return has_changed(err);
    rc = check_names(h, err);
    if (rc == 0 && !take_left_over(h))
        rc = make_new(h, err);
    if (rc == 0)
        rc = place(h, err);
    if (rc == 0)
        rc = describe(h->dir, h->name, healed);
    return rc;
}

int td_heal_file(const struct td_heal *heal, struct td_entry *healed, struct td_error *err) {
    struct healing h = {.job = heal, .fd = -1};
    h.dir = td_open_parent(heal->source, heal->names[0], &h.name);
    if (h.dir < 0)
        return td_fail(err, -h.dir, "the source's file");
    h.buffer = td_buffer_new(TD_READ_SIZE);
    h.digest = td_digest_new(NULL);
    int rc = h.buffer == NULL || h.digest == NULL ? td_fail(err, ENOMEM, "healing") : heal_opened(&h, healed, err);
    if (h.named)
        (void)td_sys.unlinkat(h.dir, h.staged, 0);
    if (h.fd >= 0)
        close(h.fd);
    close(h.dir);
    td_digest_free(h.digest);
    free(h.buffer);
    return rc;
}
