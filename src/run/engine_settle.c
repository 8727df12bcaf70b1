/* What did not agree is judged by its witnesses, and repaired; directories get their attributes last. */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/run/engine.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A member has no copy, and could not have one: the file was deleted in the source since the walk, or it is new and
 * could not be read, or there was no time for it. */
static bool nobodys_fault(const struct td_work_evidence *said, enum td_side side, bool in_ledger) {
    bool unread = !said->side[TD_SOURCE].asked || said->side[TD_SOURCE].error != 0 || said->side[TD_SOURCE].changing;
    return side != TD_SOURCE && said->side[side].error == ENOENT &&
           (said->side[TD_SOURCE].error == ENOENT || (unread && !in_ledger));
}

/* Put the evidence of the working tables and the ledger's entry together for the judge. */
static int gather(struct td_engine *engine, const struct td_work_evidence *said, struct td_evidence *out,
                  struct td_file *file, struct td_error *err) {
    struct td_entry scanned;
    *out = (struct td_evidence){.members = td_engine_members(engine)};
    *file = (struct td_file){0};
    int rc = td_ledger_file(engine->ledger, engine->pair, said->path, file, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    out->in_ledger = rc == 0 && file->has_hash;
    out->was_held = rc == 0 && file->held;
    memcpy(out->ledger, file->hash, TD_HASH_LEN);
    for (int side = 0; side < TD_SIDES; side++) {
        out->side[side].asked = said->side[side].asked;
        out->side[side].error = said->side[side].error;
        out->side[side].changing = said->side[side].changing;
        memcpy(out->side[side].hash, said->side[side].hash, TD_HASH_LEN);
        if (nobodys_fault(said, (enum td_side)side, out->in_ledger))
            out->side[side].asked = false;
        out->side[side].agrees = !said->side[side].asked && out->in_ledger && file->cycle[side] >= engine->cycle;
    }
    if (engine->trust_ledger)
        out->side[TD_SOURCE].agrees = out->in_ledger;
    rc = td_work_entry(engine->ledger, TD_SOURCE, said->path, &scanned, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    out->source_same_stat =
        out->in_ledger && scanned.size == file->entry.size && td_same_time(&scanned.mtime, &file->entry.mtime);
    out->source_same_ctime = out->in_ledger && td_same_time(&scanned.ctime, &file->entry.ctime);
    return 0;
}

struct settling {
    struct td_engine *engine;
    bool repair;
    bool hold_back; /* the brake is on: what the source has that was not in the plan is left where it is */
    struct td_error *err;
    const char *leader;
    unsigned members;
    enum td_why why;
};

static int relink(void *ctx, const char *path) {
    struct settling *settling = ctx;
    struct td_work_op op = {.action = TD_ACT_LINK,
                            .why = TD_WHY_LINKS,
                            .members = settling->members,
                            .path = path,
                            .from = settling->leader};
    return td_work_add_op(settling->engine->ledger, &op, settling->err);
}

/* A copy, and after it the other names of a hard link group. */
static int add_copy(struct settling *settling, const char *path, unsigned members, enum td_side origin, bool quarantine,
                    enum td_why why) {
    struct td_engine *engine = settling->engine;
    struct td_entry entry;
    int rc = td_work_entry(engine->ledger, TD_SOURCE, path, &entry, settling->err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    struct td_work_op op = {.action = TD_ACT_COPY,
                            .why = why,
                            .members = members,
                            .path = path,
                            .quarantine = quarantine,
                            .origin = origin,
                            .size = entry.size};
    bool linked = entry.nlink > 1;
    rc = td_work_add_op(engine->ledger, &op, settling->err);
    if (rc != 0 || !linked)
        return rc;
    settling->leader = path;
    settling->members = members;
    return td_work_followers(engine->ledger, path, relink, settling, settling->err);
}

/* The source was edited while the run went on: bring the members up to date with what it is now. */
static int catch_up(struct settling *settling, const char *path) {
    struct td_engine *engine = settling->engine;
    const char *name;
    struct td_entry now = {0};
    TD_AUTOCLOSE int dir = td_open_parent(engine->side[TD_SOURCE].root, path, &name);
    if (dir < 0 || td_entry_read(dir, name, &now) != 0)
        return 0; /* gone again: the next run sees it */
    now.path = path;
    int rc = 0;
    if (S_ISREG(now.mode)) {
        rc = td_work_scan(engine->ledger, TD_SOURCE, &now, settling->err);
        if (rc == 0)
            rc = add_copy(settling, path, td_engine_members(engine), TD_SOURCE, false, TD_WHY_EDITED);
    }
    free((char *)(uintptr_t)now.target);
    return rc;
}

/* A copy that was never proven cannot have rotted: it is what a lost or interrupted member was left with. One that
 * never came to be is what the member refused to take, and that has been told; the next run tries again. Or the member
 * is new, and the source is not to be believed: then the other member has it. */
static void forgive_unproven(const struct td_work_evidence *said, const struct td_file *file, bool repair,
                             struct td_finding *finding) {
    int left = 0;
    for (int i = 0; i < finding->incident_count; i++) {
        struct td_incident incident = finding->incidents[i];
        int side = incident.member == 'A' ? TD_A : TD_B;
        bool unproven = incident.member != 0 && file->proven_at[side] == 0;
        if (unproven && repair && incident.kind == TD_INCIDENT_REPAIRED && said->side[side].error == ENOENT) {
            if (finding->repair[side] == TD_REPAIR_FROM_SOURCE)
                finding->repair[side] = TD_REPAIR_NONE;
            finding->quarantine[side] = false;
            continue;
        }
        if (unproven && incident.cause == TD_CAUSE_BACKUP_ROT) {
            incident.kind = TD_INCIDENT_NOTED;
            incident.cause = TD_CAUSE_UNPROVABLE;
            finding->quarantine[side] = false;
        }
        finding->incidents[left++] = incident;
    }
    finding->incident_count = left;
}

static bool was_forgiven(const struct td_finding *finding, enum td_side side) {
    char letter = side == TD_A ? 'A' : 'B';
    for (int i = 0; i < finding->incident_count; i++)
        if (finding->incidents[i].member == letter && finding->incidents[i].kind == TD_INCIDENT_REPAIRED)
            return false;
    return true;
}

static int add_repairs(struct settling *settling, const char *path, const struct td_finding *finding) {
    static const enum td_side origins[] = {TD_SOURCE, TD_SOURCE, TD_A, TD_B};
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        if (finding->repair[side] == TD_REPAIR_NONE)
            continue;
        enum td_why why = finding->accept_source                      ? TD_WHY_EDITED
                          : was_forgiven(finding, (enum td_side)side) ? TD_WHY_STALE
                                                                      : TD_WHY_REPAIR;
        rc =
            add_copy(settling, path, TD_SIDE_BIT(side), origins[finding->repair[side]], finding->quarantine[side], why);
    }
    return rc;
}

/* What the judge found goes into the ledger. A bad copy that is not going to be repaired now is asked for again by the
 * next run, be it that it was proven earlier in the round that is open. */
static int enter_finding(struct settling *settling, const char *path, const struct td_work_evidence *said,
                         struct td_file *file, const struct td_finding *finding) {
    struct td_engine *engine = settling->engine;
    struct td_error *err = settling->err;
    int rc = 0;
    if (finding->accept_source) {
        rc = td_work_entry(engine->ledger, TD_SOURCE, path, &file->entry, err);
        if (rc != 0)
            return rc == -ENOENT ? 0 : rc;
        file->has_hash = true;
        file->held = file->accepted = false;
        file->had = 0;
        memcpy(file->hash, said->side[TD_SOURCE].hash, TD_HASH_LEN);
    }
    for (int side = 0; side < TD_SIDES; side++) {
        if (finding->proven[side] && !said->side[side].asked)
            continue; /* its proof is in the ledger already, or it was never read: nothing new is known */
        if (finding->proven[side]) {
            file->cycle[side] = engine->cycle;
            file->proven_at[side] = td_wall_seconds();
            file->had &= ~TD_HAD_BAD(side);
            engine->counts.proven += side != TD_SOURCE && said->side[side].asked;
            engine->counts.proven_bytes += side != TD_SOURCE && said->side[side].asked ? file->entry.size : 0;
            continue;
        }
        if (said->side[side].asked)
            file->cycle[side] = 0;
        if (finding->accept_source)
            file->cycle[side] = file->proven_at[side] = 0;
        else if (side != TD_SOURCE && said->side[side].asked)
            file->had |= TD_HAD_BAD(side);
    }
    if (!file->has_hash)
        return 0;
    file->held = finding->hold;
    rc = td_ledger_put_file(engine->ledger, engine->pair, file, err);
    return rc == 0 ? td_engine_enter_links(engine, path, err) : rc;
}

static int report_finding(struct settling *settling, const char *path, const struct td_finding *finding) {
    int rc = 0;
    for (int i = 0; i < finding->incident_count && rc == 0; i++) {
        struct td_incident incident = finding->incidents[i];
        enum td_side side = incident.member == 'A' ? TD_A : incident.member == 'B' ? TD_B : TD_SOURCE;
        if (incident.kind == TD_INCIDENT_REPAIRED) {
            incident.path = path;
            if (settling->repair) { /* reported when it has been done: td_engine_repaired */
                rc = td_engine_repair_begins(settling->engine, &incident, NULL, settling->err);
                continue;
            }
            incident.kind = TD_INCIDENT_UNREADABLE;
        }
        rc = td_engine_incident(settling->engine, incident.kind, incident.cause, path, side, incident.detail,
                                settling->err);
    }
    return rc;
}

/* --- what the plan did not know ---------------------------------------------------------------------------- */

/* A file that was changed while the run went on, or so that neither size nor mtime show it. */
static bool is_unplanned(const struct td_engine *engine, const struct td_evidence *evidence,
                         const struct td_file *file) {
    const struct td_witness *source = &evidence->side[TD_SOURCE];
    if (!evidence->in_ledger || !source->asked || file->cycle[TD_SOURCE] >= engine->cycle)
        return false;
    if (source->changing)
        return true;
    return source->error == 0 && !evidence->was_held && evidence->source_same_stat && !evidence->source_same_ctime &&
           memcmp(source->hash, evidence->ledger, TD_HASH_LEN) != 0;
}

static bool is_empty_now(const struct td_engine *engine, const char *path) {
    const char *name;
    struct stat st;
    TD_AUTOCLOSE int dir = td_open_parent(engine->side[TD_SOURCE].root, path, &name);
    return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int count_unplanned(struct td_engine *engine, const struct td_work_evidence *said, bool *any,
                           struct td_error *err) {
    struct td_evidence evidence;
    struct td_file file;
    int rc = gather(engine, said, &evidence, &file, err);
    if (rc != 0 || !is_unplanned(engine, &evidence, &file))
        return rc;
    engine->brake.changed_files++;
    engine->brake.changed_bytes += file.entry.size;
    engine->brake.emptied_files +=
        evidence.side[TD_SOURCE].changing && file.entry.size != 0 && is_empty_now(engine, said->path);
    *any = true;
    return 0;
}

/* What may be too much for a plan may not come in behind it, either. Together with what was planned it is counted
 * before any of it is taken over. */
static int try_brake(struct settling *settling) {
    struct td_engine *engine = settling->engine;
    struct td_cursor *cursor = NULL;
    struct td_work_evidence said;
    bool any = false;
    if (!settling->repair || engine->collection == NULL || engine->brake.base_files == 0)
        return 0;
    int rc = td_work_evidences(engine->ledger, &cursor, settling->err);
    while (rc == 0 && (rc = td_work_next_evidence(cursor, &said, settling->err)) > 0)
        rc = count_unplanned(engine, &said, &any, settling->err);
    td_cursor_close(cursor);
    if (rc != 0 || !any || engine->accept_changes ||
        !td_brake_check(&engine->brake, engine->collection->max_delete, engine->collection->max_change,
                        &engine->held_back))
        return rc;
    td_buf_printf(&engine->held_back,
                  " Files that changed while it went on, or without a new time, were not copied. If that is meant, use "
                  "`twindock run --accept-changes`; if not, put the source of %s right.",
                  engine->collection->name);
    settling->hold_back = true;
    return 0;
}

/* The members keep what they have, and are judged without the source. */
static int hold_back(struct settling *settling, const char *path, struct td_evidence *evidence) {
    evidence->side[TD_SOURCE] = (struct td_witness){0};
    return td_engine_incident(settling->engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_BRAKE, path, TD_SOURCE, NULL,
                              settling->err);
}

static int settle_one(struct settling *settling, const struct td_work_evidence *said) {
    struct td_engine *engine = settling->engine;
    struct td_evidence evidence;
    struct td_finding finding;
    struct td_file file;
    TD_AUTOFREE char *path = strdup(said->path);
    if (path == NULL)
        return td_fail(settling->err, ENOMEM, "settling");
    int rc = gather(engine, said, &evidence, &file, settling->err);
    if (rc != 0)
        return rc;
    if (settling->hold_back && is_unplanned(engine, &evidence, &file))
        rc = hold_back(settling, path, &evidence);
    else if (said->side[TD_SOURCE].changing && settling->repair)
        return catch_up(settling, path);
    if (rc != 0)
        return rc;
    td_judge_file(&evidence, &finding);
    forgive_unproven(said, &file, settling->repair, &finding);
    rc = report_finding(settling, path, &finding);
    if (rc == 0)
        rc = enter_finding(settling, path, said, &file, &finding);
    return rc == 0 && settling->repair ? add_repairs(settling, path, &finding) : rc;
}

static int repair_all(struct td_engine *engine, struct td_error *err) {
    uint64_t copies = 0, bytes = 0;
    int rc = td_work_op_totals(engine->ledger, TD_ACT_COPY, &copies, &bytes, err);
    if (rc != 0 || copies == 0)
        return rc;
    engine->phase = "repairing";
    engine->repairing = true;
    td_engine_targets_start(engine);
    return td_engine_run_ops(engine, err);
}

int td_engine_settle(struct td_engine *engine, bool repair, struct td_error *err) {
    struct settling settling = {.engine = engine, .repair = repair, .err = err};
    struct td_cursor *cursor = NULL;
    struct td_work_evidence said;
    engine->phase = "settling";
    int rc = td_work_clear_ops(engine->ledger, err);
    if (rc == 0)
        rc = td_engine_write(engine, err);
    if (rc == 0)
        rc = try_brake(&settling);
    if (rc == 0)
        rc = td_work_evidences(engine->ledger, &cursor, err);
    while (rc == 0 && (rc = td_work_next_evidence(cursor, &said, err)) > 0)
        rc = settle_one(&settling, &said);
    td_cursor_close(cursor);
    if (rc == 0)
        rc = td_engine_tick(engine, true, err);
    return rc == 0 && repair ? repair_all(engine, err) : rc;
}

/* A repair has been carried out, or has failed: only now it is said. The witnesses are heard again for the words. */
int td_engine_repaired(struct td_engine *engine, const char *path, enum td_side side, int error, struct td_error *err) {
    struct td_work_evidence said;
    struct td_evidence evidence;
    struct td_finding finding;
    struct td_file file;
    int rc = td_work_evidence(engine->ledger, path, &said, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    rc = gather(engine, &said, &evidence, &file, err);
    if (rc != 0)
        return rc;
    evidence.members |= TD_SIDE_BIT(side);
    td_judge_file(&evidence, &finding);
    char letter = side == TD_A ? 'A' : 'B';
    for (int i = 0; i < finding.incident_count && rc == 0; i++) {
        const struct td_incident *incident = &finding.incidents[i];
        if (incident->member != letter || incident->kind != TD_INCIDENT_REPAIRED)
            continue;
        struct td_incident told = *incident;
        told.path = path;
        rc = error == 0 ? td_engine_repair_done(engine, &told, NULL, err)
                        : td_engine_repair_failed(engine, &told, NULL, err);
        if (rc == 0 && error != 0)
            rc = td_engine_incident(engine, TD_INCIDENT_UNREADABLE, told.cause, path, side,
                                    "found, but could not be repaired", err);
    }
    return rc;
}

/* --- directories ----------------------------------------------------------------------------------------- */

/* As the walk saw it, where nothing was done to a disk that nobody else has mounted; else as it is. */
static bool differs(struct td_engine *engine, enum td_side side, const struct td_entry *wanted) {
    struct td_entry have = {0};
    bool as_seen = engine->side[side].from_device && !engine->touched && *wanted->path != '\0';
    if (as_seen && td_work_entry(engine->ledger, side, wanted->path, &have, NULL) == 0 && have.error == 0)
        return !td_entry_kept_attributes(wanted, &have);
    TD_AUTOCLOSE int dir = td_open_beneath(engine->side[side].root, wanted->path, O_RDONLY | O_DIRECTORY, 0);
    return dir >= 0 && td_entry_read(dir, "", &have) == 0 && !td_entry_kept_attributes(wanted, &have);
}

/* The ledger's idea of a directory, for whoever goes back. */
static int enter_directory(struct td_engine *engine, const struct td_entry *entry, struct td_error *err) {
    struct td_file known, file = {.entry = *entry};
    int rc = td_ledger_file(engine->ledger, engine->pair, entry->path, &known, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    if (rc == 0 && S_ISDIR(known.entry.mode) && td_entry_same_attributes(&known.entry, entry))
        return 0;
    rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_put_file(engine->ledger, engine->pair, &file, err);
}

int td_engine_directories(struct td_engine *engine, struct td_error *err) {
    struct td_cursor *cursor = NULL;
    struct td_entry entry;
    bool started = false;
    engine->phase = "finishing";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    int rc = td_work_entries(engine->ledger, TD_SOURCE, true, &cursor, err);
    while (rc == 0 && (rc = td_work_next_entry(cursor, &entry, err)) > 0) {
        struct td_op op = {.action = TD_ACT_ATTRIBUTES, .path = entry.path, .entry = &entry};
        for (int side = TD_A; side <= TD_B; side++)
            if (engine->side[side].alive && differs(engine, (enum td_side)side, &entry)) {
                if (!started)
                    td_engine_targets_start(engine);
                started = engine->touched = true;
                if (engine->target[side] != NULL)
                    td_target_submit(engine->target[side], &op);
            }
        rc = td_stop_asked(engine->stop) ? -ECANCELED : enter_directory(engine, &entry, err);
        if (rc == 0)
            rc = td_engine_drain(engine, 0, err);
    }
    td_cursor_close(cursor);
    td_engine_targets_stop(engine, rc != 0);
    int drained = td_engine_drain(engine, 0, err);
    if (drained == 0)
        drained = td_engine_tick(engine, true, err);
    return rc != 0 ? rc : drained;
}
