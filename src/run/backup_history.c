/*
 * Ledger and disk agree on what history holds: what a run that was cut off has left is entered or taken away before the
 * next one begins, what is gone from the disk goes from the ledger, and a run's directory gets its index when the run
 * ends.
 *
 * A cut-off run may have put something into history and not have replaced it in the collection: then it is there, too,
 * and what is in history is one too many.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/ledger/history.h"
#include "twindock/run/backup.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"
#include "twindock/sync/history.h"
#include "twindock/sync/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settling {
    struct td_backup *backup;
    enum td_side side;
    int store, collection;
    const char *name; /* of the run's directory */
    int64_t run;
    void *buffer;
    struct td_index *index;
    struct td_manifest *manifest;
    struct td_error *err; /* of the ledger: ends the run */
    struct td_error *own; /* of the member: ends the member */
    bool failed;          /* it was the ledger's */
    bool found;
    bool unsure; /* something of this directory could not be looked at */
};

static int ledger_failed(struct settling *settling, int rc) {
    settling->failed = settling->failed || rc < 0;
    return rc;
}

static int64_t pair_of(const struct settling *settling) {
    return settling->backup->pair->id;
}

/* --- what a cut-off run has left ------------------------------------------------------------------------------- */

static bool hashes_to(struct settling *settling, int root, const char *path, const uint8_t hash[TD_HASH_LEN]) {
    struct td_hash_result result;
    td_hash_file(root, path, settling->buffer, &result);
    return result.error == 0 && memcmp(result.hash, hash, TD_HASH_LEN) == 0;
}

struct old_paths {
    struct settling *settling;
    const struct td_place *place;
    struct td_buf path;
    uint64_t size;
};

/* Is the version that a delta leads back to still in the collection? */
static int look_at_path(void *ctx, const char *path, uint64_t size) {
    struct old_paths *paths = ctx;
    if (paths->path.data == NULL)
        td_buf_puts(&paths->path, path);
    paths->size = size;
    return hashes_to(paths->settling, paths->settling->collection, path, paths->place->hash);
}

static int describe(const struct td_history_found *found, struct td_version *version) {
    int rc = td_entry_read(found->dir, found->name, &version->entry);
    free((char *)(uintptr_t)version->entry.target);
    version->entry.target = NULL;
    version->place = found->place;
    version->stored_size = version->entry.size;
    return rc;
}

static int enter(struct settling *settling, struct td_version *version) {
    version->run = settling->run;
    return ledger_failed(
        settling, td_ledger_keep(settling->backup->ledger, pair_of(settling), settling->side, version, settling->err));
}

static int settle_delta(struct settling *settling, const struct td_history_found *found, const struct td_place *place) {
    struct td_version version = {.kind = TD_VERSION_DELTA, .has_hash = true};
    struct old_paths paths = {.settling = settling, .place = place};
    struct td_hash_result result;
    int rc = ledger_failed(settling, td_ledger_paths_of(settling->backup->ledger, pair_of(settling), place->hash,
                                                        look_at_path, &paths, settling->err));
    if (rc > 0) {
        rc = unlinkat(found->dir, found->name, 0) != 0 ? -errno : 0;
    } else if (rc == 0) {
        td_hash_file(found->dir, found->name, settling->buffer, &result);
        rc = describe(found, &version);
        version.path = td_buf_text(&paths.path);
        version.entry.size = paths.size;
        memcpy(version.hash, place->hash, TD_HASH_LEN);
        memcpy(version.base, place->base, TD_HASH_LEN);
        memcpy(version.stored, result.hash, TD_HASH_LEN);
        if (rc == 0)
            rc = enter(settling, &version);
    }
    td_buf_free(&paths.path);
    return rc;
}

static int settle_attributes(struct settling *settling, const struct td_history_found *found,
                             const struct td_place *place) {
    struct td_version version = {.kind = TD_VERSION_ATTRIBUTES, .path = ""};
    int rc = describe(found, &version);
    version.stored_size = 0;
    if (rc == 0 && memcmp(version.entry.xattrs, place->hash, TD_HASH_LEN) == 0)
        return enter(settling, &version);
    if (rc == 0 && unlinkat(found->dir, found->name, S_ISDIR(found->st.st_mode) ? AT_REMOVEDIR : 0) != 0)
        rc = -errno;
    return rc;
}

static bool is_still_there(struct settling *settling, const char *path, const struct stat *st) {
    const char *name;
    struct stat there;
    TD_AUTOCLOSE int dir = td_open_parent(settling->collection, path, &name);
    return dir >= 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == st->st_dev &&
           there.st_ino == st->st_ino;
}

static int settle_whole(struct settling *settling, const struct td_history_found *found) {
    TD_AUTOBUF struct td_buf literal = {0}, path = {0};
    struct td_version version = {.kind = TD_VERSION_WHOLE};
    struct td_hash_result result;
    td_history_path(found->place, false, &literal);
    td_history_path(found->place, true, &path);
    if (is_still_there(settling, literal.data, &found->st) || is_still_there(settling, path.data, &found->st))
        return unlinkat(found->dir, found->name, 0) != 0 ? -errno : 0;
    int known = ledger_failed(
        settling, td_ledger_knows_path(settling->backup->ledger, pair_of(settling), literal.data, settling->err));
    if (known < 0)
        return known;
    version.path = known > 0 ? literal.data : path.data;
    int rc = describe(found, &version);
    if (rc == 0 && S_ISREG(found->st.st_mode)) {
        td_hash_file(found->dir, found->name, settling->buffer, &result);
        version.has_hash = result.error == 0;
        memcpy(version.hash, result.hash, TD_HASH_LEN);
    }
    return rc != 0 ? rc : enter(settling, &version);
}

static int settle_one(void *ctx, const struct td_history_found *found) {
    struct settling *settling = ctx;
    struct td_place place;
    int rc = ledger_failed(settling, 0);
    int known =
        td_ledger_has_kept(settling->backup->ledger, pair_of(settling), settling->side, found->place, settling->err);
    if (known != -ENOENT)
        return ledger_failed(settling, known);
    td_history_place(found->place, &place);
    if (place.kind == TD_PLACE_DELTA)
        rc = settle_delta(settling, found, &place);
    else if (place.kind == TD_PLACE_ATTRIBUTES)
        rc = settle_attributes(settling, found, &place);
    else
        rc = settle_whole(settling, found);
    if (rc < 0 && !settling->failed)
        td_fail(settling->own, -rc, "cannot put the history in order");
    return rc;
}

/* What the ledger has of this run and the disk has not. */
static int drop_if_missing(void *ctx, const struct td_version *version) {
    struct settling *settling = ctx;
    const char *name;
    struct stat st;
    TD_AUTOCLOSE int history = td_open_beneath(settling->store, "history", O_RDONLY | O_DIRECTORY, 0);
    TD_AUTOCLOSE int dir = history < 0 ? history : td_open_parent(history, version->place, &name);
    int rc = dir < 0 ? dir : fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? -errno : 0;
    if (rc == 0)
        return 0;
    if (rc != -ENOENT && rc != -ENOTDIR && rc != -ELOOP) {
        settling->unsure = true; /* it cannot be seen, which does not mean that it is not there */
        return 0;
    }
    return td_ledger_drop_kept(settling->backup->ledger, pair_of(settling), settling->side, version->place,
                               settling->err);
}

/* --- index and manifest ---------------------------------------------------------------------------------------- */

static int add_to_index(void *ctx, const struct td_version *version) {
    struct settling *settling = ctx;
    size_t len = strlen(settling->name);
    if (strncmp(version->place, settling->name, len) != 0 || version->place[len] != '/')
        return 0;
    return td_history_index_add(settling->index, version, settling->own);
}

static int write_index(struct settling *settling) {
    int rc = td_history_index_begin(settling->store, settling->name, &settling->index, settling->own);
    if (rc != 0)
        return rc;
    rc = td_ledger_kept(settling->backup->ledger, pair_of(settling), settling->side, settling->run, add_to_index,
                        settling, settling->err);
    settling->failed = settling->failed || (rc < 0 && settling->own->code == 0);
    if (rc == 0)
        return td_history_index_commit(settling->index, settling->own);
    td_history_index_cancel(settling->index);
    return rc;
}

static int add_to_manifest(void *ctx, const struct td_version *version) {
    struct settling *settling = ctx;
    bool delta = version->kind == TD_VERSION_DELTA;
    if (!version->has_hash || (!delta && version->kind != TD_VERSION_WHOLE))
        return 0;
    return td_manifest_add(settling->manifest, version->place, delta ? version->stored : version->hash, settling->own);
}

/* history/SHA256SUMS: everything that lies there, as it lies there. */
static int write_manifest(struct settling *settling) {
    bool changed;
    TD_AUTOCLOSE int history = td_open_beneath(settling->store, "history", O_RDONLY | O_DIRECTORY, 0);
    if (history < 0)
        return history == -ENOENT ? 0 : td_fail(settling->own, -history, "cannot open the history");
    int rc = td_manifest_begin(history, ".", &settling->manifest, settling->own);
    if (rc != 0)
        return rc;
    rc = td_ledger_kept(settling->backup->ledger, pair_of(settling), settling->side, -1, add_to_manifest, settling,
                        settling->err);
    settling->failed = settling->failed || (rc < 0 && settling->own->code == 0);
    if (rc == 0)
        return td_manifest_commit(settling->manifest, &changed, settling->own);
    td_manifest_cancel(settling->manifest);
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static int is_settled(void *ctx, const char *name, int64_t run) {
    struct settling *settling = ctx;
    (void)run;
    settling->found = settling->found || strcmp(name, settling->name) == 0;
    return 0;
}

static int settle_dir(void *ctx, const char *name, int64_t run) {
    struct settling *settling = ctx;
    struct td_ledger *ledger = settling->backup->ledger;
    settling->name = name;
    settling->run = run;
    settling->found = settling->unsure = false;
    int rc = ledger_failed(
        settling, td_ledger_settled(ledger, pair_of(settling), settling->side, is_settled, settling, settling->err));
    if (rc != 0 || settling->found)
        return rc;
    if (strcmp(name, settling->backup->history) != 0) { /* this run's own is as the ledger has it */
        rc = td_history_walk(settling->store, name, settle_one, settling, settling->own);
        if (rc == 0)
            rc = ledger_failed(settling, td_ledger_kept(ledger, pair_of(settling), settling->side, run, drop_if_missing,
                                                        settling, settling->err));
    }
    if (rc == 0)
        rc = write_index(settling);
    if (rc == 0 && run != 0 && !settling->unsure)
        rc = ledger_failed(settling,
                           td_ledger_settle(ledger, pair_of(settling), settling->side, name, run, settling->err));
    return rc;
}

static int forget_if_gone(void *ctx, const char *name, int64_t run) {
    struct settling *settling = ctx;
    TD_AUTOBUF struct td_buf path = {0};
    td_buf_printf(&path, "history/%s", name);
    TD_AUTOCLOSE int dir = td_open_beneath(settling->store, path.data, O_RDONLY | O_DIRECTORY, 0);
    if (dir != -ENOENT)
        return 0;
    return td_ledger_unsettle(settling->backup->ledger, pair_of(settling), settling->side, name, run, settling->err);
}

static int agree(struct settling *settling) {
    struct td_ledger *ledger = settling->backup->ledger;
    int rc = ledger_failed(settling, td_ledger_begin(ledger, settling->err));
    if (rc != 0)
        return rc;
    rc = ledger_failed(settling, td_ledger_settled(ledger, pair_of(settling), settling->side, forget_if_gone, settling,
                                                   settling->err));
    if (rc == 0)
        rc = ledger_failed(settling, forget_if_gone(settling, TD_HISTORY_RECOVERED, 0));
    if (rc == 0)
        rc = td_history_list(settling->store, settle_dir, settling, settling->own);
    if (rc == 0)
        rc = ledger_failed(settling, td_ledger_prune(ledger, pair_of(settling), settling->err));
    if (rc == 0)
        rc = write_manifest(settling);
    if (rc == 0 || !settling->failed) { /* what agrees agrees, whatever became of the rest */
        int committed = ledger_failed(settling, td_ledger_commit(ledger, settling->err));
        return committed != 0 ? committed : rc;
    }
    td_ledger_rollback(ledger);
    return rc;
}

int td_backup_history(struct td_backup *backup, enum td_side side, struct td_error *own, struct td_error *err) {
    const struct td_mounted *mounted = &backup->docking.mounted[side];
    struct settling settling = {.backup = backup,
                                .side = side,
                                .store = mounted->store,
                                .collection = mounted->collection,
                                .err = err,
                                .own = own};
    settling.buffer = td_buffer_new(TD_READ_SIZE);
    if (settling.buffer == NULL)
        return td_fail(err, ENOMEM, "putting the history in order");
    int rc = td_engine_tick(&backup->engine, true, err);
    int agreed = rc == 0 ? agree(&settling) : 0;
    free(settling.buffer);
    if (rc == 0 && settling.failed)
        return agreed < 0 ? agreed : -EIO;
    if (agreed != 0 && own->code == 0)
        td_fail(own, agreed < 0 ? -agreed : EIO, "cannot put the history in order");
    return rc;
}
