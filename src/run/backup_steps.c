/* The writing that frames a run: the generation before it, the papers that stay on the members after it. */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/dock/card.h"
#include "twindock/ledger/history.h"
#include "twindock/platform/digest.h"
#include "twindock/platform/mount.h"
#include "twindock/run/backup.h"
#include "twindock/run/notify.h"
#include "twindock/sync/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTORE_NAME "RESTORE.txt"
#define RESTORE_MAX 65536

/* A step failed on one member: the other goes on. */
void td_backup_lose(struct td_backup *backup, enum td_side side, int rc, const struct td_error *error) {
    backup->engine.full[side] = rc == -ENOSPC || rc == -EDQUOT;
    td_engine_lose(&backup->engine, side, error->text);
}

/* --- before -------------------------------------------------------------------------------------------------- */

static int64_t next_generation(const struct td_backup *backup) {
    int64_t highest = backup->pair->generation > backup->pair->intent ? backup->pair->generation : backup->pair->intent;
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_slot *slot = td_docking_slot(&backup->docking, (enum td_side)side);
        if (slot != NULL && slot->card_state == TD_CARD_READ && slot->card.generation > highest)
            highest = slot->card.generation;
    }
    return highest + 1;
}

static int raise_member(struct td_backup *backup, enum td_side side, struct td_error *err) {
    const struct td_mounted *mounted = &backup->docking.mounted[side];
    struct td_card card = td_docking_slot(&backup->docking, side)->card;
    uint64_t swept = 0;
    card.generation = backup->generation;
    card.last_run = backup->run.id;
    snprintf(card.host, sizeof card.host, "%s", backup->run.host);
    int rc = td_card_write(mounted->root, &card, err);
    if (rc == 0)
        rc = td_mount_checkpoint(mounted->root, err);
    if (rc == 0)
        rc = td_staging_sweep(mounted->store, &swept, err);
    if (rc == 0 && swept > 0)
        backup->run.after_interrupted = true;
    return rc;
}

static int agree_on_history(struct td_backup *backup, enum td_side side, struct td_error *err) {
    struct td_error own = {0};
    int rc = td_backup_history(backup, side, &own, err);
    if (rc == 0 && own.code != 0)
        td_backup_lose(backup, side, -own.code, &own);
    return rc;
}

int td_backup_begin(struct td_backup *backup, struct td_error *err) {
    backup->generation = next_generation(backup);
    int rc = td_ledger_intend(backup->ledger, backup->pair->id, backup->generation, err);
    if (rc == 0)
        rc = td_ledger_forget_device(backup->ledger, backup->pair->id, err);
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        struct td_error error = {0};
        if (!backup->engine.side[side].alive)
            continue;
        int raised = raise_member(backup, (enum td_side)side, &error);
        if (raised != 0)
            td_backup_lose(backup, (enum td_side)side, raised, &error);
        else
            rc = td_ledger_confirm(backup->ledger, backup->pair->id, backup->pair->members[side - TD_A].id,
                                   backup->generation, err);
        if (rc == 0 && raised == 0)
            rc = agree_on_history(backup, (enum td_side)side, err);
    }
    return rc;
}

/* A member that is full can still be read in ten years: its papers are brought up to date as far as there is room. */
bool td_backup_takes_papers(const struct td_backup *backup, enum td_side side) {
    return backup->engine.side[side].alive || (backup->engine.full[side] && backup->docking.mounted[side].store >= 0);
}

/* --- manifest -------------------------------------------------------------------------------------------------- */

struct manifests {
    struct td_backup *backup;
    struct td_digest *rows;
    struct td_manifest *member[TD_SIDES];
};

/* All that a row says, but for the proofs: has anything changed since a copy of the ledger was made? */
static int add_row(struct td_digest *digest, const struct td_file *file) {
    const struct td_entry *entry = &file->entry;
    const uint64_t numbers[] = {
        entry->dev,
        entry->ino,
        entry->mode,
        entry->uid,
        entry->gid,
        entry->nlink,
        entry->size,
        entry->blocks,
        entry->rdev,
        file->has_hash,
        file->held,
        file->had,
        (uint64_t)entry->mtime.tv_sec,
        (uint64_t)entry->mtime.tv_nsec,
        (uint64_t)entry->ctime.tv_sec,
        (uint64_t)entry->ctime.tv_nsec,
        entry->target != NULL,
    };
    int rc = td_digest_add(digest, numbers, sizeof numbers);
    if (rc == 0)
        rc = td_digest_add(digest, entry->path, strlen(entry->path) + 1);
    if (rc == 0 && entry->target != NULL)
        rc = td_digest_add(digest, entry->target, strlen(entry->target) + 1);
    if (rc == 0)
        rc = td_digest_add(digest, entry->xattrs, TD_HASH_LEN);
    return rc == 0 ? td_digest_add(digest, file->hash, TD_HASH_LEN) : rc;
}

/* Only what has been read back from this member stands in its manifest. */
static int add_to_manifests(void *ctx, const struct td_file *file) {
    struct manifests *manifests = ctx;
    if (add_row(manifests->rows, file) != 0)
        return -EIO;
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        if (manifests->member[side] == NULL || !file->has_hash || file->proven_at[side] == 0)
            continue;
        int rc = td_manifest_add(manifests->member[side], file->entry.path, file->hash, &error);
        if (rc == 0)
            continue;
        td_backup_lose(manifests->backup, (enum td_side)side, rc, &error);
        td_manifest_cancel(manifests->member[side]);
        manifests->member[side] = NULL;
    }
    return 0;
}

int td_backup_manifests(struct td_backup *backup, struct td_error *err) {
    struct manifests manifests = {.backup = backup, .rows = td_digest_new(err)};
    if (manifests.rows == NULL)
        return -ENOMEM;
    td_digest_start(manifests.rows);
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        if (!td_backup_takes_papers(backup, (enum td_side)side))
            continue;
        int rc = td_manifest_begin(backup->docking.mounted[side].store, backup->collection->target,
                                   &manifests.member[side], &error);
        if (rc != 0)
            td_backup_lose(backup, (enum td_side)side, rc, &error);
    }
    int rc = td_ledger_files(backup->ledger, backup->pair->id, add_to_manifests, &manifests, err);
    backup->rows_known = rc == 0 && td_digest_end(manifests.rows, backup->rows) == 0;
    td_digest_free(manifests.rows);
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        bool changed = false;
        if (manifests.member[side] == NULL)
            continue;
        if (rc != 0) {
            td_manifest_cancel(manifests.member[side]);
            continue;
        }
        int committed = td_manifest_commit(manifests.member[side], &changed, &error);
        if (committed != 0)
            td_backup_lose(backup, (enum td_side)side, committed, &error);
    }
    return rc;
}

/* --- RESTORE.txt ------------------------------------------------------------------------------------------------ */

static bool has_other_ledger(int store) {
    TD_AUTOCLOSE int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    if (dir == NULL)
        return false;
    (void)td_take_fd(&fd);
    for (const struct dirent *entry = readdir(dir); entry != NULL && !found; entry = readdir(dir))
        found = td_ledger_is_set_aside(entry->d_name);
    closedir(dir);
    return found;
}

static int write_restore(struct td_backup *backup, enum td_side side, struct td_error *err) {
    const struct td_mounted *mounted = &backup->docking.mounted[side];
    TD_AUTOBUF struct td_buf text = {0}, have = {0};
    TD_AUTOFREE char *delta = NULL, *base = NULL;
    (void)td_ledger_example(backup->ledger, backup->pair->id, side, &delta, &base, NULL); /* no more than an example */
    struct td_restore_facts facts = {
        .collection = backup->collection->name,
        .target = backup->collection->target,
        .uuid = backup->pair->uuid,
        .source = backup->collection->source,
        .host = backup->run.host,
        .member = side == TD_A ? 'A' : 'B',
        .mirrored = backup->pair->layout == TD_LAYOUT_MIRRORED,
        .last_change = backup->run.started,
        .delta = delta,
        .delta_base = base,
        .other_ledger = has_other_ledger(mounted->store),
    };
    int dir = strcmp(backup->collection->target, ".") == 0 ? mounted->store : mounted->root;
    td_restore_text(&facts, &text);
    if (!backup->engine.touched && td_read_small(dir, RESTORE_NAME, RESTORE_MAX, &have, NULL) == 0 &&
        td_restore_same(td_buf_text(&have), td_buf_text(&text)))
        return 0;
    return td_replace_small(dir, RESTORE_NAME, text.data, text.len, err);
}

/* --- after ------------------------------------------------------------------------------------------------------- */

static int finish_member(struct td_backup *backup, enum td_side side, struct td_error *err) {
    struct td_expired expired = {0};
    int store = backup->docking.mounted[side].store;
    int64_t last = 0, before = 0;
    int rc = write_restore(backup, side, err);
    if (rc == 0)
        rc = td_ledger_expired(backup->ledger, backup->pair->id, backup->run.id, backup->collection->keep_history,
                               &last, &before, err);
    if (rc == 0)
        rc = td_history_expire(store, last, before, backup->history, &expired, err);
    struct td_counts *tally = &backup->engine.tally[side], *counts = &backup->engine.counts;
    tally->given_up += expired.files;
    tally->given_up_bytes += expired.bytes;
    if (tally->given_up > counts->given_up) {
        counts->given_up = tally->given_up;
        counts->given_up_bytes = tally->given_up_bytes;
    }
    return rc;
}

int td_backup_finish(struct td_backup *backup, struct td_error *err) {
    backup->engine.phase = "finishing";
    int rc = td_backup_manifests(backup, err);
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        struct td_error error = {0};
        if (!td_backup_takes_papers(backup, (enum td_side)side))
            continue;
        int finished = finish_member(backup, (enum td_side)side, &error);
        if (finished != 0)
            td_backup_lose(backup, (enum td_side)side, finished, &error);
        else
            rc = agree_on_history(backup, (enum td_side)side, err);
    }
    if (rc == 0)
        rc = td_backup_copy_ledger(backup, err);
    for (int side = TD_A; side <= TD_B; side++) /* lost since stock was taken */
        if (!backup->engine.side[side].alive && td_docking_slot(&backup->docking, (enum td_side)side) != NULL) {
            snprintf(backup->run.state[side], sizeof backup->run.state[side], "%s",
                     backup->engine.full[side] ? "full" : "lost");
            backup->proven[side] = false;
        }
    return rc;
}
