/* Entering into the ledger what has become durable on the members. */
#include "twindock/base/clock.h"
#include "twindock/run/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int td_engine_enter_plain(struct td_engine *engine, const char *path, struct td_error *err) {
    struct td_file file = {0};
    int rc = td_work_entry(engine->ledger, TD_SOURCE, path, &file.entry, err);
    if (rc == -ENOENT)
        return 0;
    return rc != 0 ? rc : td_ledger_put_file(engine->ledger, engine->pair, &file, err);
}

static int prove_now(struct td_engine *engine, const struct td_op_done *done, struct td_error *err) {
    int rc =
        td_ledger_prove(engine->ledger, engine->pair, done->path, done->side, engine->cycle, td_wall_seconds(), err);
    return rc == -ENOENT ? 0 : rc;
}

/* What was read back is proven only if it is what the ledger has for the path by now. */
static int copied(struct td_engine *engine, const struct td_op_done *done, enum td_why why, struct td_error *err) {
    struct td_counts *tally = &engine->tally[done->side];
    struct td_file file;
    tally->copied += why != TD_WHY_REPAIR; /* repairs are told by themselves */
    int rc = td_ledger_file(engine->ledger, engine->pair, done->path, &file, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    if (rc == -ENOENT || !file.has_hash || memcmp(file.hash, done->hash, TD_HASH_LEN) != 0)
        return 0;
    tally->copied_bytes += why != TD_WHY_REPAIR ? done->bytes : 0;
    engine->counts.proven++;
    engine->counts.proven_bytes += done->bytes;
    return prove_now(engine, done, err);
}

/* A path takes over what the ledger knows of the content at `from`: of the first hard link, or of the old name. */
static int enter_from(struct td_engine *engine, const struct td_op_done *done, const char *from, struct td_error *err) {
    struct td_file known, file, old;
    int rc = td_ledger_file(engine->ledger, engine->pair, done->path, &old, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    bool had = rc == 0 && old.has_hash;
    int64_t cycle[TD_SIDES] = {0}, at[TD_SIDES] = {0};
    uint8_t hash[TD_HASH_LEN] = {0};
    if (had) {
        memcpy(cycle, old.cycle, sizeof cycle);
        memcpy(at, old.proven_at, sizeof at);
        memcpy(hash, old.hash, sizeof hash);
    }
    rc = td_ledger_file(engine->ledger, engine->pair, from, &known, err);
    if (rc == -ENOENT || (rc == 0 && !known.has_hash))
        return td_engine_enter_plain(engine, done->path, err);
    if (rc != 0)
        return rc;
    file = known;
    rc = td_work_entry(engine->ledger, TD_SOURCE, done->path, &file.entry, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    file.entry.ctime = known.entry.ctime; /* until the source has been read, a ctime that moved must stay visible */
    for (int side = TD_SOURCE; side <= TD_B; side++) {
        bool other = side != (int)done->side && side != TD_SOURCE;
        bool keeps = other && had && memcmp(hash, known.hash, TD_HASH_LEN) == 0;
        if (other) {
            file.cycle[side] = keeps ? cycle[side] : 0;
            file.proven_at[side] = keeps ? at[side] : 0;
        }
    }
    return td_ledger_put_file(engine->ledger, engine->pair, &file, err);
}

static int failed(struct td_engine *engine, const struct td_op_done *done, struct td_error *err) {
    if (done->error == ESHUTDOWN || done->error == EAGAIN || done->error == EUCLEAN || done->error == ECANCELED)
        return 0; /* reported as a lost member, or where the file was read */
    if (done->action == TD_ACT_COPY && done->text == NULL)
        return 0;
    return td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, done->path, done->side,
                              done->text != NULL ? done->text : strerror(done->error), err);
}

/* What a member could not be given although everything else of it is there. A time is told when it is set; attributes
 * are tried again by every run, and told as long as they do not fit. */
static int tell_unkept(struct td_engine *engine, const struct td_op_done *done, struct td_error *err) {
    int rc = 0;
    if (done->left_out != NULL)
        rc = td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_ATTRIBUTES, done->path, done->side,
                                done->left_out, err);
    if (rc == 0 && done->off_time != NULL)
        rc = td_engine_incident(engine, TD_INCIDENT_NOTED, TD_CAUSE_TIME, done->path, done->side, done->off_time, err);
    return rc;
}

/* What is counted is files: a directory that was renamed leaves nothing behind but names. */
static int deleted(struct td_engine *engine, const struct td_op_done *done, struct td_counts *tally,
                   struct td_error *err) {
    struct td_file gone;
    int rc = td_ledger_file(engine->ledger, engine->pair, done->path, &gone, err);
    bool directory = rc == 0 && S_ISDIR(gone.entry.mode);
    tally->deleted += done->kept && !directory;
    rc = td_ledger_drop_file(engine->ledger, engine->pair, done->path, err);
    return rc == -ENOENT ? 0 : rc;
}

/* What carries no content has no other proof than that it has been done. */
static int enter_attributes(struct td_engine *engine, const char *path, struct td_error *err) {
    struct td_entry entry;
    int rc = td_work_entry(engine->ledger, TD_SOURCE, path, &entry, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    return S_ISREG(entry.mode) || S_ISDIR(entry.mode) ? 0 : td_engine_enter_plain(engine, path, err);
}

/* The plan found a copy that was not what had been proven there, and it is now. */
static int tell_restored(struct td_engine *engine, const struct td_op_done *done, enum td_why why,
                         struct td_error *err) {
    bool whole_tree = done->action == TD_ACT_MKDIR && *done->path == '\0' && engine->tree_gone[done->side];
    if (why == TD_WHY_ALTERED)
        return td_engine_incident(engine, TD_INCIDENT_REPAIRED, TD_CAUSE_ALTERED, done->path, done->side, NULL, err);
    if (why != TD_WHY_MISSING && !whole_tree)
        return 0;
    return td_engine_incident(engine, TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, done->path, done->side,
                              strerrordesc_np(ENOENT), err);
}

int td_engine_op_done(struct td_engine *engine, const struct td_message *message, struct td_error *err) {
    const struct td_op_done *done = &message->op;
    enum td_why why = (enum td_why)(done->id & ((1 << TD_OP_WHY_BITS) - 1));
    int rc = td_engine_write(engine, err);
    if (rc == 0)
        rc = td_engine_enter_items(engine, done, err);
    if (rc == 0 && why == TD_WHY_REPAIR)
        rc = td_engine_repaired(engine, done->path, done->side, done->error, err);
    if (rc != 0)
        return rc;
    if (done->error != 0)
        return why == TD_WHY_REPAIR ? 0 : failed(engine, done, err);
    rc = tell_restored(engine, done, why, err);
    if (rc == 0)
        rc = tell_unkept(engine, done, err);
    if (rc != 0)
        return rc;
    struct td_counts *tally = &engine->tally[done->side];
    bool renewed = done->action == TD_ACT_COPY || done->action == TD_ACT_LINK || done->action == TD_ACT_MOVE;
    rc = renewed ? td_engine_look_again(engine, done, err) : 0;
    if (rc != 0)
        return rc;
    switch (done->action) {
    case TD_ACT_COPY:
        return copied(engine, done, why, err);
    case TD_ACT_SPECIAL:
        tally->copied++;
        return td_engine_enter_plain(engine, done->path, err);
    case TD_ACT_MKDIR:
        return td_engine_enter_plain(engine, done->path, err);
    case TD_ACT_LINK:
    case TD_ACT_MOVE:
        tally->renamed += done->action == TD_ACT_MOVE;
        return enter_from(engine, done, done->from, err);
    case TD_ACT_ATTRIBUTES:
        tally->updated += !done->idle;
        return enter_attributes(
            engine, done->path,
            err); /* of files the ledger takes new times and modes when the source's content has been read */
    case TD_ACT_DELETE:
        return deleted(engine, done, tally, err);
    default:
        return 0;
    }
}
