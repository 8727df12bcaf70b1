/*
 * `sync SRC DST [DST]`: the engine alone. The ledger is a temporary one, so there is no memory of earlier runs: what
 * differs with size and mtime equal is made like the source and told. The staging directory lies in the destination
 * while it runs.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/run/commands.h"
#include "twindock/run/engine.h"
#include "twindock/run/notify.h"
#include "twindock/sync/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_STORE ".twindock-sync"
static const char *const skips[] = {SYNC_STORE, "lost+found", NULL};

struct syncing {
    const struct td_app *app;
    struct td_ledger *ledger;
    struct td_run run;
    struct td_engine engine;
    bool engine_ready;
    bool complete; /* it came to its end */
    struct td_collection_config collection;
    int root[TD_SIDES], store[TD_SIDES];
};

static int open_tree(const char *path, struct td_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    td_fail(err, errno, "cannot open the directory %s", path);
    return -EINVAL; /* what was typed is wrong */
}

static bool same_directory(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is `inner` the directory `outer`, or somewhere below it? Asked by numbers, upwards, so that bind mounts do not hide
 * it. */
static bool lies_inside(int inner, int outer) {
    struct stat wanted, here, above;
    TD_AUTOCLOSE int fd = openat(inner, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &here) != 0 || fstat(outer, &wanted) != 0)
        return false;
    while (!same_directory(&here, &wanted)) {
        int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (up < 0)
            return false;
        close(fd);
        fd = up;
        if (fstat(fd, &above) != 0 || same_directory(&above, &here))
            return false;
        here = above;
    }
    return true;
}

/* One tree inside the other would be copied into itself; a member's root has a ledger of its own. */
static int check_trees(const struct syncing *syncing, const char *const *names, struct td_error *err) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct stat card;
        if (syncing->root[side] < 0)
            continue;
        if (fstatat(syncing->root[side], ".twindock/card.json", &card, AT_SYMLINK_NOFOLLOW) == 0)
            return td_fail_text(err, EINVAL, "%s is the root of an enrolled disk; use twindock run for it",
                                names[side]);
        for (int other = 0; other < side; other++)
            if (syncing->root[other] >= 0 && (lies_inside(syncing->root[side], syncing->root[other]) ||
                                              lies_inside(syncing->root[other], syncing->root[side])))
                return td_fail_text(err, EINVAL, "%s and %s lie inside one another; choose separate directories",
                                    names[side], names[other]);
    }
    return 0;
}

static int open_stores(struct syncing *syncing, struct td_error *err) {
    for (int side = TD_A; side <= TD_B; side++) {
        uint64_t swept = 0;
        if (syncing->root[side] < 0)
            continue;
        if (mkdirat(syncing->root[side], SYNC_STORE, 0700) != 0 && errno != EEXIST)
            return td_fail(err, errno, "cannot make %s in a destination", SYNC_STORE);
        syncing->store[side] = td_open_beneath(syncing->root[side], SYNC_STORE, O_RDONLY | O_DIRECTORY, 0);
        if (syncing->store[side] < 0)
            return td_fail(err, -syncing->store[side], "cannot open %s in a destination", SYNC_STORE);
        int rc = td_staging_sweep(syncing->store[side], &swept, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The temporary ledger wants a pair for what it remembers meanwhile. */
static int enter_pair(struct syncing *syncing, struct td_error *err) {
    struct td_pair pair = {.uuid = "00000000-0000-0000-0000-000000000000", .collection = "sync"};
    for (int i = 0; i < 2; i++) {
        pair.members[i].letter = i == 0 ? 'A' : 'B';
        snprintf(pair.members[i].token, sizeof pair.members[i].token, "%032d", i);
    }
    int rc = td_ledger_add_pair(syncing->ledger, &pair, err);
    syncing->run.pair = pair.id;
    return rc != 0 ? rc : td_ledger_run_begin(syncing->ledger, &syncing->run, err);
}

static int prepare(struct syncing *syncing, const char *const *names, struct td_error *err) {
    td_config_collection_defaults(&syncing->collection);
    for (int side = 0; side < TD_SIDES; side++) {
        if (names[side] == NULL)
            continue;
        syncing->root[side] = open_tree(names[side], err);
        if (syncing->root[side] < 0)
            return syncing->root[side];
    }
    int rc = check_trees(syncing, names, err);
    if (rc == 0)
        rc = td_ledger_open(NULL, &syncing->ledger, err);
    if (rc == 0)
        rc = enter_pair(syncing, err);
    if (rc == 0)
        rc = open_stores(syncing, err);
    if (rc != 0)
        return rc;
    struct td_engine *engine = &syncing->engine;
    *engine = (struct td_engine){
        .ledger = syncing->ledger,
        .pair = syncing->run.pair,
        .run = syncing->run.id,
        .cycle = syncing->run.id,
        .collection = &syncing->collection,
        .accept_changes = true, /* it was asked for */
        .stop = syncing->app->stop,
        .progress = td_progress_new(STDERR_FILENO, false),
    };
    for (int side = 0; side < TD_SIDES; side++)
        engine->side[side] = (struct td_engine_side){
            .root = syncing->root[side],
            .store = syncing->store[side],
            .alive = syncing->root[side] >= 0,
            .skip_top = skips,
        };
    syncing->engine_ready = true;
    return td_engine_init(engine, err);
}

static int bring_together(struct td_engine *engine, struct td_error *err) {
    unsigned all = TD_SIDE_BIT(TD_SOURCE) | td_engine_members(engine);
    int rc = td_engine_scan(engine, all, err);
    if (rc == 0)
        rc = td_engine_plan(engine, err);
    if (rc == 0)
        rc = td_engine_apply(engine, err);
    if (rc == 0)
        rc = td_engine_prove(engine, TD_SIDE_BIT(TD_SOURCE) | td_engine_members(engine), err);
    if (rc == 0)
        rc = td_engine_settle(engine, true, err);
    if (rc == 0)
        rc = td_engine_directories(engine, err);
    return rc;
}

/* What a sync that was killed had taken out of its place, the sweep has saved. When all is in its place again there is
 * no more use for it than for anything else that a sync replaces. */
static void drop_recovered(const struct syncing *syncing, int side) {
    if (!syncing->complete || syncing->engine.exit != TD_EXIT_OK || !syncing->engine.side[side].alive)
        return;
    td_history_expire(syncing->store[side], INT64_MAX, INT64_MAX, NULL, NULL, NULL);
    unlinkat(syncing->store[side], "history", AT_REMOVEDIR);
}

/* The staging directory goes, then the roots get their times back. */
static void close_stores(struct syncing *syncing) {
    for (int side = TD_A; side <= TD_B; side++) {
        if (syncing->store[side] < 0)
            continue;
        drop_recovered(syncing, side);
        unlinkat(syncing->store[side], "staging", AT_REMOVEDIR);
        close(syncing->store[side]);
        syncing->store[side] = -1;
        unlinkat(syncing->root[side], SYNC_STORE, AT_REMOVEDIR);
    }
}

static int restore_root_times(struct syncing *syncing) {
    struct td_entry source;
    if (td_work_entry(syncing->ledger, TD_SOURCE, "", &source, NULL) != 0)
        return 0;
    for (int side = TD_A; side <= TD_B; side++) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, source.mtime};
        if (syncing->root[side] >= 0 && futimens(syncing->root[side], times) != 0)
            return -errno;
    }
    return 0;
}

static void name_result(struct syncing *syncing, int rc, struct td_error *err) {
    struct td_run *run = &syncing->run;
    run->counts = syncing->engine.counts;
    run->exit = syncing->engine.exit;
    run->result = run->exit == TD_EXIT_MEMBER_LOST ? TD_RESULT_FAILED : TD_RESULT_DONE;
    run->ended = td_wall_seconds();
    if (rc == -ECANCELED) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = TD_EXIT_SIGNAL + atomic_load(&syncing->app->stop->signal);
    } else if (rc != 0) {
        run->result = TD_RESULT_FAILED;
        run->exit = TD_EXIT_INTERNAL;
        run->reason = strdup(err->text);
    }
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_engine_side *copy = &syncing->engine.side[side];
        const char *state = syncing->root[side] < 0 ? "absent" : copy->alive ? "ok" : "lost";
        if (syncing->engine.full[side])
            state = "full";
        snprintf(run->state[side], sizeof run->state[side], "%s", state);
        if (syncing->root[side] >= 0 && !copy->alive && run->reason == NULL)
            run->reason = strdup(copy->reason);
    }
}

static void tear_down(struct syncing *syncing) {
    if (syncing->engine_ready) {
        td_progress_free(syncing->engine.progress);
        td_engine_free(&syncing->engine);
    }
    close_stores(syncing);
    for (int side = 0; side < TD_SIDES; side++)
        if (syncing->root[side] >= 0)
            close(syncing->root[side]);
    td_ledger_close(syncing->ledger);
    free(syncing->run.reason);
}

int td_command_sync(const struct td_app *app, const char *source, const char *const *destinations, size_t count,
                    struct td_buf *out, struct td_error *err) {
    struct syncing syncing = {.app = app, .root = {-1, -1, -1}, .store = {-1, -1, -1}};
    const char *names[TD_SIDES] = {source, destinations[0], count > 1 ? destinations[1] : NULL};
    snprintf(syncing.run.command, sizeof syncing.run.command, "sync");
    syncing.run.verdict = TD_OK;
    syncing.run.started = td_wall_seconds();
    int rc = prepare(&syncing, names, err);
    if (rc == -EINVAL) {
        tear_down(&syncing);
        return TD_EXIT_USAGE;
    }
    bool prepared = rc == 0;
    if (prepared) {
        rc = bring_together(&syncing.engine, err);
        syncing.complete = rc == 0;
        close_stores(&syncing);
        if (rc == 0)
            rc = restore_root_times(&syncing);
        td_progress_clear(syncing.engine.progress);
        name_result(&syncing, rc, err);
        rc = td_notify_print(app, syncing.ledger, &syncing.run, NULL, out, err);
        rc = rc != 0 ? rc : syncing.run.exit;
    }
    tear_down(&syncing);
    return rc;
}
