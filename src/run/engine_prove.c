/* Proof: every copy that is not proven in this cycle is read from its medium, each disk by its own reader. */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/sys.h"
#include "twindock/platform/blockdev.h"
#include "twindock/run/engine.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANY_READERS 4

enum attempt { FIRST_READ, SECOND_READ };

/* A path to be read again from the medium before a copy is called rotten. */
struct again {
    struct again *next;
    char path[];
};

struct td_proof {
    struct td_reader *reader[TD_SIDES];
    struct td_cursor *jobs[TD_SIDES];
    struct td_work_job job[TD_SIDES];
    bool waiting[TD_SIDES]; /* job[] holds one that the reader has not taken yet */
    bool ended[TD_SIDES];   /* the cursor is at its end */
    struct again *again[TD_SIDES];
    atomic_ullong reading[TD_SIDES]; /* bytes so far of the file being read */
};

static bool device_gone(int error) {
    return error == ENODEV || error == ENXIO || error == ESHUTDOWN || error == EROFS;
}

bool td_engine_member_answers(const struct td_engine *engine, enum td_side side) {
    struct td_hash_result result;
    TD_AUTOFREE void *buffer = td_buffer_new(TD_READ_SIZE);
    if (engine->side[side].store < 0 || buffer == NULL)
        return true;
    td_hash_file(engine->side[side].store, "card.json", buffer, &result);
    return result.error == 0 || result.error == ENOENT;
}

/* The source's content is what the ledger has: now its new times and modes may be believed as well. */
static int source_agrees(struct td_engine *engine, const char *path, struct td_file *file, struct td_error *err) {
    struct td_entry scanned;
    int rc = td_work_entry(engine->ledger, TD_SOURCE, path, &scanned, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    file->entry = scanned;
    file->held = false;
    file->cycle[TD_SOURCE] = engine->cycle;
    file->proven_at[TD_SOURCE] = td_wall_seconds();
    return td_ledger_put_file(engine->ledger, engine->pair, file, err);
}

static int agrees(struct td_engine *engine, const struct td_read_done *done, struct td_file *file,
                  struct td_error *err) {
    int rc;
    if (done->side == TD_SOURCE) {
        rc = source_agrees(engine, done->path, file, err);
    } else {
        engine->counts.proven++;
        engine->counts.proven_bytes += done->result.bytes;
        rc = td_ledger_prove(engine->ledger, engine->pair, done->path, done->side, engine->cycle, td_wall_seconds(),
                             err);
    }
    return rc == 0 ? td_engine_enter_links(engine, done->path, err) : rc;
}

/* Nothing but the proof is new: the case of nearly every file. */
static int note_proof(struct td_engine *engine, const struct td_read_done *done, struct td_error *err) {
    if (done->side != TD_SOURCE) {
        engine->counts.proven++;
        engine->counts.proven_bytes += done->result.bytes;
    }
    return td_ledger_note_proof(engine->ledger, engine->pair, done->path, done->side, done->result.hash, engine->cycle,
                                td_wall_seconds(), err);
}

/* All that read a file which the ledger does not know say the same: enter it at once, so that it is not lost when the
 * run is cut off. What they disagree about is settled at the end. */
static int accept_if_unanimous(struct td_engine *engine, const char *path, struct td_error *err) {
    struct td_work_evidence evidence;
    struct td_file file = {0};
    int rc = td_work_evidence(engine->ledger, path, &evidence, err);
    unsigned needed = td_engine_members(engine) | TD_SIDE_BIT(TD_SOURCE);
    for (int side = 0; rc == 0 && side < TD_SIDES; side++) {
        if ((needed & TD_SIDE_BIT(side)) == 0)
            continue;
        if (!evidence.side[side].asked || evidence.side[side].error != 0 || evidence.side[side].changing ||
            memcmp(evidence.side[side].hash, evidence.side[TD_SOURCE].hash, TD_HASH_LEN) != 0)
            return 0;
        file.cycle[side] = engine->cycle;
        file.proven_at[side] = td_wall_seconds();
    }
    file.has_hash = true;
    memcpy(file.hash, evidence.side[TD_SOURCE].hash, TD_HASH_LEN);
    if (rc == 0)
        rc = td_work_entry(engine->ledger, TD_SOURCE, path, &file.entry, err);
    if (rc == 0)
        rc = td_ledger_put_file(engine->ledger, engine->pair, &file, err);
    for (int side = TD_A; rc == 0 && side <= TD_B; side++)
        if ((needed & TD_SIDE_BIT(side)) != 0) {
            engine->counts.proven++;
            engine->counts.proven_bytes += file.entry.size;
        }
    if (rc == 0)
        rc = td_work_drop_evidence(engine->ledger, path, err);
    return rc == 0 ? td_engine_enter_links(engine, path, err) : rc;
}

static int read_again(struct td_engine *engine, const struct td_read_done *done, struct td_error *err) {
    size_t len = strlen(done->path) + 1;
    struct again *again = malloc(sizeof *again + len);
    if (again == NULL)
        return td_fail(err, ENOMEM, "reading a file again");
    memcpy(again->path, done->path, len);
    again->next = engine->proof->again[done->side];
    engine->proof->again[done->side] = again;
    return 0;
}

static int read_failed(struct td_engine *engine, const struct td_read_done *done, struct td_error *err) {
    int error = done->result.error;
    if (error == ECANCELED)
        return 0;
    if (done->side != TD_SOURCE &&
        (device_gone(error) || (error == EIO && !td_engine_member_answers(engine, done->side)))) {
        td_engine_lose(engine, done->side, strerror(error));
        return 0;
    }
    if (done->id == FIRST_READ && error != ENOENT)
        return read_again(engine, done, err);
    static const uint8_t none[TD_HASH_LEN];
    return td_work_testify(engine->ledger, done->path, done->side, error, false, none, err);
}

/*
 * Was the source's file edited after the walk? Then what was read belongs to a later state than what was planned. When
 * only its ctime moved (a chmod, or an edit that kept size and mtime), the walk's entry is brought up to date, and the
 * judgement goes by the state that was read. 1: edited.
 */
static int edited_since(struct td_engine *engine, const struct td_read_done *done, struct td_error *err) {
    struct td_entry scanned, now = {0};
    const struct stat *read = &done->result.stat;
    const char *name;
    if (done->side != TD_SOURCE || td_work_entry(engine->ledger, TD_SOURCE, done->path, &scanned, NULL) != 0)
        return 0;
    if (scanned.size != (uint64_t)read->st_size || !td_same_time(&scanned.mtime, &read->st_mtim))
        return 1;
    if (td_same_time(&scanned.ctime, &read->st_ctim))
        return 0;
    TD_AUTOCLOSE int dir = td_open_parent(engine->side[TD_SOURCE].root, done->path, &name);
    if (dir < 0 || td_entry_read(dir, name, &now) != 0 || !S_ISREG(now.mode) ||
        !td_same_time(&now.ctime, &read->st_ctim))
        return 1; /* it goes on changing */
    now.path = done->path;
    now.place = scanned.place;
    return td_work_scan(engine->ledger, TD_SOURCE, &now, err);
}

int td_engine_read_done(struct td_engine *engine, const struct td_message *message, struct td_error *err) {
    const struct td_read_done *done = &message->read;
    struct td_file file;
    atomic_store(&engine->proof->reading[done->side], 0);
    engine->shown.side[done->side].done += done->result.bytes;
    int rc = td_engine_write(engine, err);
    if (rc != 0)
        return rc;
    if (done->as_expected)
        return note_proof(engine, done, err);
    if (done->result.error != 0 && !done->result.changing)
        return read_failed(engine, done, err);
    int edited = edited_since(engine, done, err);
    if (edited < 0)
        return edited;
    if (done->result.changing || edited > 0)
        return td_work_testify(engine->ledger, done->path, done->side, 0, true, done->result.hash, err);
    rc = td_ledger_file(engine->ledger, engine->pair, done->path, &file, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    bool known = rc == 0 && file.has_hash;
    if (known && memcmp(file.hash, done->result.hash, TD_HASH_LEN) == 0)
        return agrees(engine, done, &file, err);
    if (known && done->id == FIRST_READ)
        return read_again(engine, done, err);
    rc = td_work_testify(engine->ledger, done->path, done->side, 0, false, done->result.hash, err);
    return rc == 0 && !known ? accept_if_unanimous(engine, done->path, err) : rc;
}

/* --- feeding the readers ------------------------------------------------------------------------------- */

static void note_reading(void *ctx, enum td_side side, uint64_t bytes) {
    struct td_engine *engine = ctx;
    atomic_store(&engine->proof->reading[side], bytes);
}

static void on_read(void *ctx, const struct td_read_done *done) {
    struct td_engine *engine = ctx;
    td_inbox_put_read(&engine->inbox, done);
}

/* A mechanical disk wants one reader; what has no head to move wants several, and so does what is not one disk. Members
 * are single disks, and read in another way. */
static unsigned readers_for(const struct td_engine *engine, enum td_side side) {
    struct td_blockdev device;
    struct stat st;
    if (side != TD_SOURCE || fstat(engine->side[side].root, &st) != 0)
        return 1;
    if (td_blockdev_from_number(st.st_dev, &device, NULL) != 0)
        return MANY_READERS;
    return device.rotational && strncmp(device.disk, "md", 2) != 0 ? 1 : MANY_READERS;
}

/* What was written to a member must be on its device before that is read. (A file of the source whose times are those
 * of the ledger was written out when it was read for the ledger.) */
static bool written_out(const struct td_engine *engine, enum td_side side) {
    return side == TD_SOURCE || td_sys.syncfs(engine->side[side].root) == 0;
}

static int start_side(struct td_engine *engine, enum td_side side, struct td_error *err) {
    struct td_proof *proof = engine->proof;
    uint64_t count = 0;
    struct td_progress_side *shown = &engine->shown.side[side];
    int rc =
        td_work_jobs(engine->ledger, engine->pair, side, engine->cycle, &count, &shown->all, &proof->jobs[side], err);
    if (rc != 0)
        return rc;
    struct td_reader_options options = {
        .side = side,
        .root = engine->side[side].root,
        .from_device = engine->side[side].from_device && written_out(engine, side),
        .threads = readers_for(engine, side),
        .done = on_read,
        .progress = note_reading,
        .ctx = engine,
    };
    shown->active = true;
    engine->shown.all += shown->all;
    return td_reader_start(&options, &proof->reader[side], err);
}

static bool take_again(struct td_proof *proof, int side) {
    struct again *again = proof->again[side];
    if (again == NULL)
        return false;
    struct td_read_job job = {.id = SECOND_READ, .plainly = true, .path = again->path};
    if (td_reader_offer(proof->reader[side], &job) == 0)
        return false;
    proof->again[side] = again->next;
    free(again);
    return true;
}

static bool offer(struct td_proof *proof, int side) {
    const struct td_work_job *job = &proof->job[side];
    struct td_read_job read = {
        .id = FIRST_READ,
        .path = job->path,
        .expected = job->expected,
        .located = job->whole,
        .place = job->place,
        .dated = side == TD_SOURCE,
        .size = job->size,
        .mtime = job->mtime,
        .ctime = job->ctime,
    };
    memcpy(read.hash, job->hash, TD_HASH_LEN);
    return td_reader_offer(proof->reader[side], &read) != 0;
}

/* Give a reader as much as it takes. */
static int feed(struct td_engine *engine, int side, struct td_error *err) {
    struct td_proof *proof = engine->proof;
    while (take_again(proof, side))
        continue;
    while (!proof->ended[side]) {
        if (!proof->waiting[side]) {
            int rc = td_work_next_job(proof->jobs[side], &proof->job[side], err);
            if (rc < 0)
                return rc;
            proof->ended[side] = rc == 0;
            proof->waiting[side] = rc > 0;
            continue;
        }
        if (td_stop_late(engine->stop, (int64_t)proof->job[side].size / TD_SLOW_RATE + 1)) {
            engine->late = true;
            proof->ended[side] = true;
            proof->waiting[side] = false;
            break;
        }
        if (!offer(proof, side))
            break;
        proof->waiting[side] = false;
    }
    return 0;
}

static bool idle(const struct td_engine *engine) {
    const struct td_proof *proof = engine->proof;
    for (int side = 0; side < TD_SIDES; side++)
        if (proof->reader[side] != NULL && engine->side[side].alive &&
            (!proof->ended[side] || proof->again[side] != NULL || td_reader_pending(proof->reader[side]) > 0))
            return false;
    return true;
}

static void sum_up(struct td_engine *engine) {
    engine->shown.done = 0;
    for (int side = 0; side < TD_SIDES; side++)
        engine->shown.done += engine->shown.side[side].done + atomic_load(&engine->proof->reading[side]);
}

static int read_all(struct td_engine *engine, struct td_error *err) {
    struct td_proof *proof = engine->proof;
    for (;;) {
        for (int side = 0; side < TD_SIDES; side++) {
            if (proof->reader[side] == NULL || !engine->side[side].alive)
                continue;
            int rc = feed(engine, side, err);
            if (rc != 0)
                return rc;
        }
        if (td_stop_asked(engine->stop))
            return -ECANCELED;
        bool nothing_left = idle(engine);
        sum_up(engine);
        int rc = td_engine_drain(engine, nothing_left ? 0 : 200, err);
        if (rc != 0 || (nothing_left && idle(engine)))
            return rc;
    }
}

static void end_proof(struct td_engine *engine, bool cancel) {
    struct td_proof *proof = engine->proof;
    for (int side = 0; side < TD_SIDES; side++) {
        if (proof->reader[side] != NULL)
            td_reader_stop(proof->reader[side], cancel || !engine->side[side].alive);
        td_cursor_close(proof->jobs[side]);
    }
}

static void free_proof(struct td_engine *engine) {
    for (int side = 0; side < TD_SIDES; side++)
        while (engine->proof->again[side] != NULL) {
            struct again *next = engine->proof->again[side]->next;
            free(engine->proof->again[side]);
            engine->proof->again[side] = next;
        }
    free(engine->proof);
    engine->proof = NULL;
}

int td_engine_prove(struct td_engine *engine, unsigned sides, struct td_error *err) {
    int rc = 0;
    engine->proof = calloc(1, sizeof *engine->proof);
    if (engine->proof == NULL)
        return td_fail(err, ENOMEM, "proving");
    engine->phase = "proving";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    for (int side = 0; side < TD_SIDES && rc == 0; side++)
        if ((sides & TD_SIDE_BIT(side)) != 0 && engine->side[side].alive)
            rc = start_side(engine, (enum td_side)side, err);
    if (rc == 0)
        rc = read_all(engine, err);
    end_proof(engine, rc != 0);
    int drained = td_engine_drain(engine, 0, rc == 0 ? err : NULL); /* what was read before it ended counts */
    if (drained == 0)
        drained = td_engine_tick(engine, true, rc == 0 ? err : NULL);
    if (drained == 0)
        drained = td_ledger_enter_proofs(engine->ledger, engine->pair, rc == 0 ? err : NULL);
    free_proof(engine);
    return rc != 0 ? rc : drained;
}
