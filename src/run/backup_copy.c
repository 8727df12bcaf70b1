/*
 * The copy of the ledger that stays on a member.
 *
 * Runs come every night, files change seldom: when no file's row has changed but for its proofs, only the pages of the
 * copy are written that hold runs, pair and members (run/pages.h). Else the copy is written anew and renamed over the
 * old one.
 */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/run/backup.h"
#include "twindock/run/pages.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY "ledger.db"
#define COPY_NEW "ledger.db.new"
#define COPY_JOURNAL "ledger.db-journal"

#define ASIDE "ledger-"
#define COPY_OTHER ASIDE "%lld%s.db" /* of another ledger, by the pair's generation */
#define JOURNAL "-journal"

struct copying {
    struct td_backup *backup;
    enum td_side side;
    int store;
    int64_t member;
    char *local; /* name of the export on this machine */
    int from;    /* the same, open and by then without a name; -1: not made */
    void *buffer;
};

/* --- whole -------------------------------------------------------------------------------------------------------- */

static int pour(int from, int to, void *buffer) {
    off_t offset = 0;
    for (;;) {
        ssize_t got = td_pread_all(from, buffer, TD_READ_SIZE, offset);
        if (got <= 0)
            return (int)got;
        int rc = td_pwrite_all(to, buffer, (size_t)got, offset);
        if (rc != 0)
            return rc;
        offset += got;
    }
}

static int write_whole(struct copying *copying) {
    int store = copying->store;
    TD_AUTOCLOSE int to = openat(store, COPY_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return -errno;
    int rc = pour(copying->from, to, copying->buffer);
    if (rc == 0 && td_sys.fsync(to) != 0)
        rc = -errno;
    if (rc == 0) /* that an interrupted run has left: it belongs to the old copy */
        rc = td_pages_drop_journal(store, COPY_JOURNAL);
    if (rc == 0 && renameat(store, COPY_NEW, store, COPY) != 0)
        rc = -errno;
    if (rc == 0 && td_sys.fsync(store) != 0)
        rc = -errno;
    if (rc != 0)
        unlinkat(store, COPY_NEW, 0);
    return rc;
}

/* --- in place ----------------------------------------------------------------------------------------------------- */

/* The member's copy as it lies on its medium, to a file of that name on this machine. */
static int fetch(struct copying *copying, const char *name, uint8_t hash[TD_HASH_LEN]) {
    struct td_hash_result result;
    TD_AUTOCLOSE int have = openat(copying->store, COPY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    TD_AUTOCLOSE int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (have < 0 || to < 0)
        return -errno;
    td_hash_file(copying->store, COPY, copying->buffer, &result);
    if (result.error != 0 || result.changing)
        return result.error != 0 ? -result.error : -EAGAIN;
    memcpy(hash, result.hash, TD_HASH_LEN);
    return pour(have, to, copying->buffer);
}

static int hash_local(struct copying *copying, uint8_t hash[TD_HASH_LEN]) {
    TD_AUTOCLOSE int fd = open(copying->local, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct td_digest *digest = td_digest_new(NULL);
    int rc = digest != NULL ? td_digest_start(digest) : -ENOMEM;
    ssize_t got = 0;
    for (off_t at = 0; rc == 0 && (got = td_pread_all(fd, copying->buffer, TD_READ_SIZE, at)) > 0; at += got)
        rc = td_digest_add(digest, copying->buffer, (size_t)got);
    if (rc == 0)
        rc = got < 0 ? (int)got : td_digest_end(digest, hash);
    td_digest_free(digest);
    return rc;
}

/* 1: done; 0: it has to be written anew; or a negative errno. */
static int renew(struct copying *copying, const struct td_copy_state *was, struct td_copy_state *is) {
    __attribute__((cleanup(td_pages_free))) struct td_pages changes = {0};
    uint8_t found[TD_HASH_LEN];
    struct td_backup *backup = copying->backup;
    int rc = fetch(copying, copying->local, found);
    if (rc != 0 || memcmp(found, was->sha256, TD_HASH_LEN) != 0 || hash_local(copying, found) != 0 ||
        memcmp(found, was->sha256, TD_HASH_LEN) != 0)
        return 0;
    if (td_ledger_export_renew(backup->ledger, backup->pair->id, &backup->run, copying->local, NULL) != 0 ||
        hash_local(copying, is->sha256) != 0)
        return 0;
    TD_AUTOCLOSE int want = open(copying->local, O_RDONLY | O_CLOEXEC);
    TD_AUTOCLOSE int have = openat(copying->store, COPY, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (want < 0 || have < 0 || td_pages_compare(have, want, &changes) != 0)
        return 0;
    rc = td_pages_write(copying->store, have, COPY_JOURNAL, &changes);
    if (rc != 0)
        return rc;
    struct td_hash_result back;
    td_hash_file(copying->store, COPY, copying->buffer, &back);
    return back.error == 0 && memcmp(back.hash, is->sha256, TD_HASH_LEN) == 0;
}

/* --- of another ledger ------------------------------------------------------------------------------------------- */

int td_ledger_set_aside(int store, int64_t generation, char name[TD_LEDGER_ASIDE_MAX]) {
    char journal[TD_LEDGER_ASIDE_MAX + sizeof JOURNAL];
    if (faccessat(store, COPY, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    snprintf(name, TD_LEDGER_ASIDE_MAX, COPY_OTHER, (long long)generation, "");
    for (int i = 2; faccessat(store, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0; i++) {
        char again[16];
        snprintf(again, sizeof again, "-%d", i);
        snprintf(name, TD_LEDGER_ASIDE_MAX, COPY_OTHER, (long long)generation, again);
    }
    snprintf(journal, sizeof journal, "%s" JOURNAL,
             name); /* what a run cut off while it wrote has left belongs to it */
    if (td_sys.renameat2(store, COPY_JOURNAL, store, journal, RENAME_NOREPLACE) != 0 && errno != ENOENT)
        return -errno;
    if (td_sys.renameat2(store, COPY, store, name, RENAME_NOREPLACE) != 0)
        return -errno;
    return td_sys.fsync(store) != 0 ? -errno : 1;
}

bool td_ledger_is_set_aside(const char *name) {
    size_t len = strlen(name);
    return strncmp(name, ASIDE, strlen(ASIDE)) == 0 && len > 3 && strcmp(name + len - 3, ".db") == 0;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static void clear_local(const struct copying *copying) {
    TD_AUTOBUF struct td_buf journal = {0};
    td_buf_printf(&journal, "%s-journal", copying->local);
    unlink(journal.data);
    unlink(copying->local);
}

/* An export of what is in the ledger, for the members that need the whole. */
static int export_whole(struct copying *copying, struct td_error *err) {
    clear_local(copying);
    int rc = td_ledger_export(copying->backup->ledger, copying->backup->pair->id, &copying->backup->run, copying->local,
                              err);
    if (rc != 0)
        return rc;
    copying->from = open(copying->local, O_RDONLY | O_CLOEXEC);
    return copying->from < 0 ? td_fail(err, errno, "cannot open %s", copying->local) : 0;
}

static int copy_to(struct copying *copying, struct td_error *lost, struct td_error *err) {
    struct td_backup *backup = copying->backup;
    struct td_copy_state was = {0}, is = {.known = backup->rows_known};
    memcpy(is.rows, backup->rows, TD_HASH_LEN);
    int rc = td_ledger_copy_state(backup->ledger, copying->member, &was, err);
    clear_local(copying);
    int done =
        rc == 0 && was.known && is.known && memcmp(was.rows, is.rows, TD_HASH_LEN) == 0 ? renew(copying, &was, &is) : 0;
    if (rc == 0 && done == 0) {
        char aside[TD_LEDGER_ASIDE_MAX];
        rc = export_whole(copying, err);
        if (rc == 0)
            rc = hash_local(copying, is.sha256);
        if (rc == 0 && !was.known) /* this ledger has written none: one that is there knows what this one does not */
            done = td_ledger_set_aside(copying->store, backup->pair->generation, aside);
        if (rc == 0 && done >= 0)
            done = write_whole(copying);
        td_cleanup_fd(&copying->from);
        copying->from = -1;
    }
    clear_local(copying);
    if (rc == 0 && done >= 0)
        return td_ledger_copied(backup->ledger, copying->member, &is, err);
    if (rc == 0)
        td_backup_lose(backup, copying->side, td_fail(lost, -done, "cannot write the copy of the ledger"), lost);
    return rc;
}

uint64_t td_backup_papers(int store) {
    static const char *const papers[] = {COPY, "SHA256SUMS", "history/SHA256SUMS"};
    uint64_t bytes = 0;
    struct stat st;
    for (size_t i = 0; i < sizeof papers / sizeof *papers; i++)
        if (fstatat(store, papers[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    return bytes;
}

int td_backup_copy_ledger(struct td_backup *backup, struct td_error *err) {
    TD_AUTOBUF struct td_buf name = {0};
    TD_AUTOFREE void *buffer = td_buffer_new(TD_READ_SIZE);
    int rc = 0;
    if (buffer == NULL)
        return td_fail(err, ENOMEM, "copying the ledger");
    /* One name for a pair, which no other run works on: what a killed run has left goes with the next. */
    td_buf_printf(&name, "%s.export-%lld", backup->app->config->ledger, (long long)backup->pair->id);
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        struct td_error lost = {0};
        struct copying copying = {
            .backup = backup,
            .side = (enum td_side)side,
            .store = backup->docking.mounted[side].store,
            .member = backup->pair->members[side - TD_A].id,
            .local = name.data,
            .from = -1,
            .buffer = buffer,
        };
        if (td_backup_takes_papers(backup, (enum td_side)side))
            rc = copy_to(&copying, &lost, err);
    }
    return rc;
}
