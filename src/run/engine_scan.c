/* Walking the trees in parallel, each on its own disk, into the working tables. */
#include "twindock/base/clock.h"
#include "twindock/run/engine.h"
#include "twindock/sync/walk.h"

#include <errno.h>
#include <string.h>

struct scan {
    struct td_engine *engine;
    enum td_side side;
    pthread_t thread;
    bool started;
    int rc;
    struct td_error error;
};

static int store_entry(void *ctx, const struct td_entry *entry) {
    struct scan *scan = ctx;
    struct td_engine *engine = scan->engine;
    pthread_mutex_lock(&engine->scan_lock);
    int rc = td_work_scan(engine->ledger, scan->side, entry, &scan->error);
    engine->shown.side[scan->side].done++;
    if (engine->progress != NULL && (engine->shown.side[scan->side].done & 1023) == 0)
        td_progress_show(engine->progress, &engine->shown, td_boot_ns());
    pthread_mutex_unlock(&engine->scan_lock);
    return rc;
}

static void *scan_side(void *ctx) {
    struct scan *scan = ctx;
    struct td_engine *engine = scan->engine;
    struct td_walk_options options = {
        .exclude = engine->exclude,
        .skip_top = engine->side[scan->side].skip_top,
        .one_filesystem = scan->side != TD_SOURCE || engine->collection->one_filesystem,
        .cancel = &engine->stop->now,
    };
    if (scan->side != TD_SOURCE)
        options.exclude = NULL; /* what is excluded now may lie on a member from before */
    scan->rc = td_walk(engine->side[scan->side].root, &options, store_entry, scan, &scan->error);
    return NULL;
}

/* After all walkers have ended: only then may the ledger be touched without the lock. */
static int conclude(struct td_engine *engine, struct scan *scan, struct td_error *err) {
    if (!scan->started || scan->rc == 0)
        return 0;
    bool device_gone = scan->rc == -EIO || scan->rc == -ENODEV || scan->rc == -ENXIO || scan->rc == -ESHUTDOWN;
    if (scan->side != TD_SOURCE && device_gone) {
        td_engine_lose(engine, scan->side, scan->error.text);
        return td_work_clear_side(engine->ledger, scan->side, err);
    }
    if (err != NULL)
        *err = scan->error;
    return scan->rc;
}

int td_engine_scan(struct td_engine *engine, unsigned sides, struct td_error *err) {
    struct scan scans[TD_SIDES] = {0};
    int rc = 0;
    engine->phase = "looking";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    for (int side = 0; side < TD_SIDES && rc == 0; side++) {
        scans[side] = (struct scan){.engine = engine, .side = (enum td_side)side};
        if ((sides & TD_SIDE_BIT(side)) != 0)
            rc = td_work_clear_side(engine->ledger, (enum td_side)side, err);
    }
    for (int side = 0; side < TD_SIDES && rc == 0; side++) {
        if ((sides & TD_SIDE_BIT(side)) == 0 || !engine->side[side].alive || engine->side[side].root < 0)
            continue;
        int failed = pthread_create(&scans[side].thread, NULL, scan_side, &scans[side]);
        if (failed != 0)
            rc = td_fail(err, failed, "cannot start a thread to walk a tree");
        else
            scans[side].started = true;
    }
    for (int side = 0; side < TD_SIDES; side++)
        if (scans[side].started)
            pthread_join(scans[side].thread, NULL);
    for (int side = 0; side < TD_SIDES; side++) {
        int ended = conclude(engine, &scans[side], rc == 0 ? err : NULL);
        rc = rc != 0 ? rc : ended;
    }
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    return rc != 0 ? rc : td_work_link(engine->ledger, err);
}
