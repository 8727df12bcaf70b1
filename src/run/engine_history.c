/*
 * Proof of what lies in history: every file there is read from its medium and compared with the ledger, each member by
 * its own thread. What is damaged is made good from the other member, or from wherever else its content is whole; what
 * cannot be is lost, and said once.
 */
#include "restore_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/run/engine.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS 50000000
#define STAGED "staging/history"

struct kept_job {
    struct td_version version;
    bool good;
    int error;
};

struct kept_reader {
    struct td_engine *engine;
    enum td_side side;
    int history; /* -1: nothing to read */
    struct kept_job *jobs;
    size_t count, room, entered;
    atomic_size_t done;
    atomic_bool ended;
    pthread_t thread;
    bool started;
    void *buffer;
};

static bool is_good(struct kept_reader *reader, const struct td_version *version, int *error) {
    struct td_hash_result result;
    td_hash_file(reader->history, version->place, reader->buffer, &result);
    *error = result.error;
    return result.error == 0 && memcmp(result.hash, version->stored, TD_HASH_LEN) == 0;
}

static void *read_history(void *ctx) {
    struct kept_reader *reader = ctx;
    for (size_t i = 0; i < reader->count; i++) {
        struct kept_job *job = &reader->jobs[i];
        int64_t seconds = (int64_t)job->version.stored_size / TD_SLOW_RATE + 1;
        if (td_stop_asked(reader->engine->stop) || td_stop_late(reader->engine->stop, seconds))
            break;
        job->good = is_good(reader, &job->version, &job->error);
        if (!job->good) /* read once more before it is called damaged */
            job->good = is_good(reader, &job->version, &job->error);
        atomic_store(&reader->done, i + 1);
    }
    atomic_store(&reader->ended, true);
    return NULL;
}

static int add_job(void *ctx, const struct td_version *version) {
    struct kept_reader *reader = ctx;
    if (reader->count == reader->room) {
        size_t room = reader->room == 0 ? 256 : 2 * reader->room;
        struct kept_job *jobs = realloc(reader->jobs, room * sizeof *jobs);
        if (jobs == NULL)
            return -ENOMEM;
        reader->jobs = jobs;
        reader->room = room;
    }
    struct kept_job *job = &reader->jobs[reader->count];
    *job = (struct kept_job){.version = *version};
    job->version.path = strdup(version->path);
    job->version.place = strdup(version->place);
    reader->count++;
    return job->version.path != NULL && job->version.place != NULL ? 0 : -ENOMEM;
}

static int start_reader(struct kept_reader *reader, struct td_engine *engine, enum td_side side, struct td_error *err) {
    *reader = (struct kept_reader){.engine = engine, .side = side, .history = -1};
    if (!engine->side[side].alive || engine->side[side].store < 0)
        return 0;
    reader->history = td_open_beneath(engine->side[side].store, "history", O_RDONLY | O_DIRECTORY, 0);
    if (reader->history < 0)
        return 0;
    reader->buffer = td_buffer_new(TD_READ_SIZE);
    int rc = reader->buffer == NULL
                 ? -ENOMEM
                 : td_ledger_kept_unproven(engine->ledger, engine->pair, side, engine->cycle, add_job, reader, err);
    if (rc == 0)
        rc = -pthread_create(&reader->thread, NULL, read_history, reader);
    reader->started = rc == 0;
    return rc == -ENOMEM ? td_fail(err, ENOMEM, "proving the history") : rc;
}

static void end_reader(struct kept_reader *reader) {
    if (reader->started)
        pthread_join(reader->thread, NULL);
    for (size_t i = 0; i < reader->count; i++) {
        free((char *)(uintptr_t)reader->jobs[i].version.path);
        free((char *)(uintptr_t)reader->jobs[i].version.place);
    }
    free(reader->jobs);
    free(reader->buffer);
    td_cleanup_fd(&reader->history);
}

/* --- making good ------------------------------------------------------------------------------------------------- */

static int no_hurry(void *ctx) {
    return td_stop_asked(ctx) ? -ECANCELED : 0;
}

/* The other member's file of the same place, where it has the same bytes. */
static int copy_twin(const struct kept_reader *reader, const struct kept_reader *other,
                     const struct td_version *version, int fd) {
    struct td_hash_result result;
    if (other->history < 0 || !other->engine->side[other->side].alive)
        return -ENOENT;
    td_hash_file(other->history, version->place, reader->buffer, &result);
    if (result.error != 0 || memcmp(result.hash, version->stored, TD_HASH_LEN) != 0)
        return -ENOENT;
    TD_AUTOCLOSE int from = td_open_beneath(other->history, version->place, O_RDONLY, 0);
    uint64_t at = 0;
    while (from >= 0) {
        ssize_t got = td_pread_all(from, reader->buffer, TD_READ_SIZE, (off_t)at);
        int rc = got > 0 ? td_pwrite_all(fd, reader->buffer, (size_t)got, (off_t)at) : (int)got;
        if (got <= 0 || rc != 0)
            return rc;
        at += (uint64_t)got;
    }
    return from;
}

/* The content of the version from wherever it is whole. */
static int find_content(struct kept_reader *reader, const struct kept_reader *other, const struct td_version *version,
                        int fd, struct td_error *err) {
    struct td_engine *engine = reader->engine;
    const struct td_app app = {.stop = engine->stop};
    struct td_restoring restoring = {.app = &app,
                                     .ledger = engine->ledger,
                                     .collection = engine->collection,
                                     .live = {-1, -1, -1},
                                     .history = {-1, -1, -1},
                                     .buffer = reader->buffer,
                                     .watch = {no_hurry, engine->stop},
                                     .err = err};
    struct td_pair pair = {.id = engine->pair};
    restoring.pair = &pair;
    restoring.dir = td_open_beneath(engine->side[reader->side].store, "staging", O_RDONLY | O_DIRECTORY, 0);
    for (int side = TD_A; side <= TD_B; side++)
        restoring.live[side] = engine->side[side].alive ? engine->side[side].root : -1;
    restoring.history[reader->side] = reader->history;
    restoring.history[other->side] = other->history;
    int rc = restoring.dir < 0 ? restoring.dir : td_restore_content(&restoring, version->path, version->hash, fd);
    td_cleanup_fd(&restoring.dir);
    td_buf_free(&restoring.trouble);
    return rc;
}

/* What lies under `temporary` takes the damaged file's place; it is a delta no more when `whole`. */
static int put_in_place(struct kept_reader *reader, struct td_version *version, bool whole, int fd,
                        struct td_error *err) {
    struct td_engine *engine = reader->engine;
    int store = engine->side[reader->side].store;
    const char *name;
    struct td_entry entry;
    struct td_hash_result result;
    TD_AUTOBUF struct td_buf place = {0};
    TD_AUTOCLOSE int dir = td_open_parent(reader->history, version->place, &name);
    int rc = dir < 0 ? dir : td_entry_read(dir, name, &entry);
    if (rc == 0)
        rc = td_attributes_apply(&entry, dir, name, store, STAGED, err);
    if (rc == 0 && td_sys.fsync(fd) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    const uint8_t *expect = whole ? version->hash : version->stored;
    td_hash_file(store, STAGED, reader->buffer, &result);
    if (result.error != 0 || memcmp(result.hash, expect, TD_HASH_LEN) != 0)
        return -EIO;
    if (!whole || version->kind == TD_VERSION_WHOLE)
        return td_sys.renameat2(store, STAGED, dir, name, 0) != 0 ? -errno : 0;
    /* The delta's name would be a lie. */
    char hex[2 * TD_HASH_LEN + 1];
    td_hex(hex, version->hash, TD_HASH_LEN);
    td_buf_printf(&place, "%.*s/.again/%s", (int)strcspn(version->place, "/"), version->place, hex);
    rc = td_make_parents(reader->history, place.data);
    TD_AUTOCLOSE int again = rc == 0 ? td_open_parent(reader->history, place.data, &name) : rc;
    if (again < 0 || td_sys.renameat2(store, STAGED, again, name, 0) != 0)
        return again < 0 ? again : -errno;
    place.data[strcspn(place.data, "/")] = '\0';
    rc = td_ledger_disturb(engine->ledger, engine->pair, reader->side, place.data, err);
    place.data[strlen(place.data)] = '/';
    if (rc == 0)
        rc = td_ledger_drop_kept(engine->ledger, engine->pair, reader->side, version->place, err);
    struct td_version made = *version;
    made.kind = TD_VERSION_WHOLE;
    made.place = place.data;
    made.stored_size = version->entry.size;
    return rc != 0 ? rc : td_ledger_keep(engine->ledger, engine->pair, reader->side, &made, err);
}

static int make_good(struct kept_reader *reader, const struct kept_reader *other, struct td_version *version,
                     struct td_error *err) {
    int store = reader->engine->side[reader->side].store;
    (void)unlinkat(store, STAGED, 0);
    if (mkdirat(store, "staging", 0700) != 0 && errno != EEXIST)
        return -errno;
    TD_AUTOCLOSE int fd = td_open_beneath(store, STAGED, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return fd;
    bool whole = false;
    int rc = copy_twin(reader, other, version, fd);
    if (rc != 0 && version->has_hash) {
        whole = true;
        rc = ftruncate(fd, 0) != 0 ? -errno : find_content(reader, other, version, fd, err);
    }
    if (rc == 0)
        rc = put_in_place(reader, version, whole, fd, err);
    (void)unlinkat(store, STAGED, 0);
    return rc;
}

/* Was its run given up to make room, since it was put there? The ledger hears of that at the end. */
static bool was_given_up(const struct kept_reader *reader, const struct td_version *version) {
    TD_AUTOFREE char *run = strndup(version->place, strcspn(version->place, "/"));
    return run != NULL && faccessat(reader->history, run, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/* Is it the disk that is gone, and not this file that is damaged? Then nothing is known of what it keeps. */
static bool is_gone(const struct kept_reader *reader) {
    struct td_engine *engine = reader->engine;
    if (!engine->side[reader->side].alive || td_engine_member_answers(engine, reader->side))
        return false;
    td_engine_lose(engine, reader->side, strerror(EIO));
    return true;
}

static int report_bad(struct kept_reader *reader, const struct td_version *version, const char *detail, bool lost,
                      struct td_error *err) {
    struct td_engine *engine = reader->engine;
    int rc = lost ? td_ledger_prove_kept(engine->ledger, engine->pair, reader->side, version->place, engine->cycle,
                                         td_wall_seconds(), true, err)
                  : td_ledger_doubt_kept(engine->ledger, engine->pair, reader->side, version->place, err);
    return rc != 0 ? rc
                   : td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, version->path,
                                        reader->side, detail, err);
}

static int repair_version(struct kept_reader *reader, const struct kept_reader *other, struct td_version *version,
                          const char *detail, struct td_error *err) {
    struct td_engine *engine = reader->engine;
    const struct td_incident bad = {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, version->path,
                                    reader->side == TD_A ? 'A' : 'B', detail};
    int rc = td_engine_repair_begins(engine, &bad, version->place, err);
    if (rc == 0)
        rc = td_engine_tick(engine, true, err);
    if (rc == 0)
        rc = td_engine_write(engine, err);
    if (rc != 0)
        return rc;
    int made = make_good(reader, other, version, err);
    if (made == 0) {
        rc = td_ledger_prove_kept(engine->ledger, engine->pair, reader->side, version->place, engine->cycle,
                                  td_wall_seconds(), false, err);
        return rc == 0 ? td_engine_repair_done(engine, &bad, version->place, err) : rc;
    }
    rc = td_engine_repair_failed(engine, &bad, version->place, err);
    if (rc != 0 || is_gone(reader))
        return rc;
    /* Lost is what is nowhere; what could only not be made good now is tried again by the next run. */
    return report_bad(reader, version, detail, made == -ENOENT && !is_gone(other), err);
}

static int enter_job(struct kept_reader *reader, const struct kept_reader *other, struct kept_job *job, bool repair,
                     struct td_error *err) {
    struct td_engine *engine = reader->engine;
    struct td_version *version = &job->version;
    char date[TD_DATE_MAX], detail[TD_DATE_MAX + 64];
    int rc = td_engine_write(engine, err);
    if (rc != 0)
        return rc;
    if (job->good)
        return td_ledger_prove_kept(engine->ledger, engine->pair, reader->side, version->place, engine->cycle,
                                    td_wall_seconds(), false, err);
    if (job->error == ENOENT && was_given_up(reader, version))
        return 0;
    if (job->error == EIO && is_gone(reader))
        return 0;
    td_format_date(date, version->entry.mtime.tv_sec);
    snprintf(detail, sizeof detail, TD_DETAIL_VERSION "its version of %s", date);
    return repair ? repair_version(reader, other, version, detail, err)
                  : report_bad(reader, version, detail, false, err);
}

static int enter_done(struct kept_reader *reader, const struct kept_reader *other, bool repair, struct td_error *err) {
    size_t done = atomic_load(&reader->done);
    int rc = 0;
    for (; rc == 0 && reader->entered < done; reader->entered++) {
        struct kept_job *job = &reader->jobs[reader->entered];
        if (!job->good && (job->error == ENODEV || job->error == ENXIO || job->error == ESHUTDOWN))
            td_engine_lose(reader->engine, reader->side, strerror(job->error));
        if (!job->good && !reader->engine->side[reader->side].alive)
            continue;
        rc = enter_job(reader, other, job, repair, err);
    }
    return rc;
}

int td_engine_prove_history(struct td_engine *engine, bool repair, struct td_error *err) {
    struct kept_reader readers[2];
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    engine->phase = "proving history";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    int rc = start_reader(&readers[0], engine, TD_A, err);
    int other = start_reader(&readers[1], engine, TD_B, err);
    rc = rc != 0 ? rc : other;
    for (bool ended = false; rc == 0 && !ended;) {
        ended = true;
        for (int i = 0; i < 2; i++)
            ended = ended && (!readers[i].started || atomic_load(&readers[i].ended));
        if (!ended)
            nanosleep(&pause, NULL);
        /* What is damaged is made good when both have been read: the readers' buffers are theirs until then. */
        for (int i = 0; i < 2 && rc == 0 && ended; i++)
            rc = enter_done(&readers[i], &readers[1 - i], repair, err);
        if (rc == 0)
            rc = td_engine_tick(engine, ended, err);
    }
    for (int i = 0; i < 2; i++)
        engine->late = engine->late || (rc == 0 && readers[i].entered < readers[i].count);
    end_reader(&readers[0]);
    end_reader(&readers[1]);
    return rc == 0 && td_stop_asked(engine->stop) ? -ECANCELED : rc;
}
