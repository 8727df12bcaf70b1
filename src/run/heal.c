/* `heal`: a proven backup over a file of the source that has rotted. Reads the disks only, and the disks as they are.
 */
#include "twindock/sync/heal.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/run/docking.h"
#include "twindock/run/held.h"
#include "twindock/run/need.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct healing {
    struct td_held held;
    struct td_docking docking;
    const char *path;
    struct td_file file;    /* the ledger's, without its texts */
    struct td_entry source; /* as it is now */
    struct td_error *err;
};

static const char letters[TD_SIDES] = {0, 'A', 'B'};
static const char *const origins[TD_SIDES] = {"it was right already", "from member A", "from member B"};

/* --- the disks ------------------------------------------------------------------------------------------- */

static int refuse(struct td_error *err, const char *text) {
    td_fail_text(err, EINVAL, "%s", text);
    return TD_EXIT_REFUSED;
}

/* One member is enough, in any slot: nothing is written to it. */
static int look(struct healing *h, const struct td_dock_config *dock) {
    td_docking_init(&h->docking, h->held.app->config, dock);
    int rc = td_docking_lock(&h->docking, h->err);
    if (rc != 0)
        return rc;
    struct td_policy policy = td_docking_policy(&h->docking, false);
    policy.single_allow = policy.slots_any = true;
    return td_docking_look(&h->docking, h->held.ledger, TD_LOOK_ONCE, &policy, h->err);
}

static int judge_dock(struct healing *h) {
    const struct td_judgement *judgement = &h->docking.judgement;
    if (judgement->verdict != TD_OK) {
        TD_AUTOBUF struct td_buf advice = {0};
        td_advise(&h->docking.seen, judgement, &advice);
        return refuse(h->err, td_buf_text(&advice));
    }
    for (int side = TD_A; side <= TD_B; side++)
        if (td_docking_dirty(td_docking_slot(&h->docking, (enum td_side)side)))
            return refuse(h->err, "A journal on a disk holds changes from before a power cut: run first, that puts it "
                                  "in order.");
    return 0;
}

/* The dock that holds the collection's pair, or one disk of it. */
static int find_dock(struct healing *h) {
    const struct td_config *config = h->held.app->config;
    for (size_t i = 0; i < config->dock_count; i++) {
        int rc = look(h, &config->docks[i]);
        if (rc != 0)
            return rc;
        const struct td_pair *pair = h->docking.judgement.pair;
        if (pair != NULL && pair->id == h->held.pair.id)
            return judge_dock(h);
        td_docking_close(&h->docking);
        td_docking_init(&h->docking, config, &config->docks[i]);
    }
    td_fail_text(h->err, ENOENT, "%s is not docked. Put one of its disks, or both, into the dock.",
                 h->held.collection->name);
    return TD_EXIT_REFUSED;
}

static int check_writable(struct healing *h) {
    struct statvfs fs;
    if (fstatvfs(h->held.source, &fs) != 0 || (fs.f_flag & ST_RDONLY) == 0)
        return 0;
    td_fail_text(h->err, EROFS, "The source of %s, %s, is mounted read-only. Mount it writable to have it healed.",
                 h->held.collection->name, h->held.collection->source);
    return TD_EXIT_REFUSED;
}

/* --- one file -------------------------------------------------------------------------------------------- */

static int tell(struct healing *h, enum td_cause cause, char member, const char *detail) {
    return td_held_tell(&h->held, TD_INCIDENT_UNREADABLE, cause, h->path, member, detail, h->err);
}

static bool member_could(const struct healing *h, int side) {
    return h->docking.mounted[side].collection >= 0 && h->file.proven_at[side] != 0;
}

/* Somebody, or a heal that was cut off, has put it right already. */
static bool is_right(const struct healing *h, struct td_entry *healed) {
    struct td_hash_result result;
    TD_AUTOFREE void *buffer = td_buffer_new(TD_READ_SIZE);
    if (buffer == NULL)
        return false;
    td_hash_file(h->held.source, h->path, buffer, &result);
    *healed = h->source;
    return result.error == 0 && !result.changing && memcmp(result.hash, h->file.hash, TD_HASH_LEN) == 0 &&
           result.stat.st_ino == h->source.ino && td_same_time(&result.stat.st_ctim, &h->source.ctime);
}

/* From the first member that has it as the ledger knows it. TD_SIDES: none; the reason has been told. */
static int heal_from_members(struct healing *h, char *const *names, size_t count, struct td_entry *healed, int *from) {
    struct td_heal heal = {.source = h->held.source,
                           .names = (const char *const *)names,
                           .name_count = count,
                           .known = &h->source,
                           .hash = h->file.hash,
                           .cancel = &h->held.app->stop->now};
    bool told = false;
    *from = TD_SIDES;
    for (int side = TD_A; side <= TD_B; side++) {
        struct td_error error = {0};
        if (!member_could(h, side))
            continue;
        heal.member = h->docking.mounted[side].collection;
        int rc = td_heal_file(&heal, healed, &error);
        *from = rc == 0 ? side : TD_SIDES;
        if (rc == 0 || rc == -ECANCELED)
            return rc;
        bool bad_copy = rc == -EUCLEAN;
        int said =
            tell(h, bad_copy ? TD_CAUSE_BACKUP_ROT : TD_CAUSE_WRITE_ERROR, bad_copy ? letters[side] : 0, error.text);
        told = true;
        if (said != 0 || !bad_copy)
            return said;
    }
    return told ? 0 : tell(h, TD_CAUSE_LOST, 0, "no docked disk has a proven copy");
}

/* The ledger knows the new file. Its bytes are to be proven by the next run all the same. */
static int enter(struct healing *h, char *const *names, const struct td_entry *healed, int from) {
    int rc = td_ledger_begin(h->held.ledger, h->err);
    for (; rc == 0 && *names != NULL; names++) {
        struct td_file file;
        rc = td_ledger_file(h->held.ledger, h->held.pair.id, *names, &file, h->err);
        if (rc == 0 && memcmp(file.hash, h->file.hash, TD_HASH_LEN) == 0) {
            file.entry = *healed;
            file.entry.path = *names;
            file.held = file.accepted = false;
            file.cycle[TD_SOURCE] = 0;
            file.proven_at[TD_SOURCE] = td_wall_seconds();
            rc = td_ledger_put_file(h->held.ledger, h->held.pair.id, &file, h->err);
        }
        if (rc == 0)
            rc = td_held_tell(&h->held, TD_INCIDENT_REPAIRED, TD_CAUSE_SOURCE_ROT, *names, 0, origins[from], h->err);
    }
    if (rc == 0)
        return td_ledger_commit(h->held.ledger, h->err);
    td_ledger_rollback(h->held.ledger);
    return rc;
}

static int see_source(struct healing *h) {
    const char *name;
    TD_AUTOCLOSE int dir = td_open_parent(h->held.source, h->path, &name);
    int rc = dir < 0 ? dir : td_entry_read(dir, name, &h->source);
    if (rc < 0)
        return rc;
    if (h->source.target != NULL)
        td_cleanup_ptr(&h->source.target);
    h->source.target = NULL;
    return S_ISREG(h->source.mode) && h->source.size == h->file.entry.size &&
                   td_same_time(&h->source.mtime, &h->file.entry.mtime)
               ? 0
               : -ESTALE;
}

static int heal_one(struct healing *h, struct td_held_file *wanted) {
    char **names = NULL;
    size_t count = 0;
    int from = TD_SIDES;
    struct td_entry healed;
    h->path = wanted->path;
    int rc = td_ledger_file(h->held.ledger, h->held.pair.id, h->path, &h->file, h->err);
    if (rc != 0)
        return rc;
    rc = see_source(h);
    h->file.entry.path = h->file.entry.target = NULL;
    if (rc == -ESTALE)
        return tell(h, TD_CAUSE_CHANGING, 0, "it was changed since it was held: run, and it is copied as an edit");
    if (rc != 0)
        return tell(h, TD_CAUSE_READ_ERROR, 0, strerrordesc_np(-rc));
    rc = td_held_names(&h->held, h->path, &h->source, &names, &count, h->err);
    if (rc == 0 && is_right(h, &healed))
        from = TD_SOURCE;
    else if (rc == 0)
        rc = heal_from_members(h, names, count, &healed, &from);
    if (rc == 0 && from != TD_SIDES) {
        rc = enter(h, names, &healed, from);
        td_held_done(&h->held, names);
        if (from != TD_SOURCE && strchr(h->held.from, letters[from]) == NULL)
            h->held.from[strlen(h->held.from)] = letters[from];
    }
    td_names_free(names);
    return rc;
}

static int heal_all(struct healing *h) {
    int rc = td_docking_mount(&h->docking, h->held.collection->target, true, h->err);
    for (size_t i = 0; rc == 0 && i < h->held.count; i++) {
        if (!h->held.files[i].wanted || h->held.files[i].done)
            continue;
        rc = td_stop_asked(h->held.app->stop) ? -ECANCELED : heal_one(h, &h->held.files[i]);
    }
    return rc;
}

/* --- the command ----------------------------------------------------------------------------------------- */

static const char *safe_sentence(struct healing *h, struct td_buf *text) {
    for (int side = TD_A; side <= TD_B; side++)
        if (td_docking_unmount(&h->docking, (enum td_side)side, NULL) != 0)
            return NULL;
    return td_docking_safe(&h->docking, NULL, 0, text);
}

static int prepare(struct healing *h, const char *const *paths, size_t count) {
    int rc = td_need_dock(h->held.app->config, h->err);
    if (rc == 0)
        rc = find_dock(h);
    if (rc == 0)
        rc = td_held_open_source(&h->held, &h->docking.seen, h->err);
    if (rc == 0)
        rc = check_writable(h);
    if (rc == 0)
        rc = td_held_select(&h->held, paths, count, h->err);
    return rc == 0 ? td_held_begin(&h->held, h->docking.dock->name, h->err) : rc;
}

int td_command_heal(const struct td_app *app, const char *collection, const char *const *paths, size_t count,
                    struct td_buf *out, struct td_error *err) {
    struct healing h = {.err = err};
    td_docking_init(&h.docking, app->config, NULL);
    int rc = td_held_open(&h.held, app, "heal", collection, err);
    if (rc == 0)
        rc = prepare(&h, paths, count);
    if (rc == 0) {
        rc = heal_all(&h);
        TD_AUTOBUF struct td_buf text = {0};
        const char *safe = safe_sentence(&h, &text);
        rc = td_held_end(&h.held, rc, safe, out, err);
    }
    td_docking_close(&h.docking);
    td_held_close(&h.held);
    return rc;
}
