/* Walking the trees in parallel, each on its own disk, into the working tables. */
#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/run/engine.h"
#include "twindock/sync/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define GATHER 64 /* entries a walker gathers before it asks for the ledger: asking costs more than an entry */

struct scan {
    struct td_engine *engine;
    enum td_side side;
    uint64_t entries; /* about so many */
    pthread_t thread;
    bool started;
    int rc;
    struct td_error error;
    size_t count;
    struct td_entry gathered[GATHER];
    size_t path_at[GATHER], target_at[GATHER]; /* in `texts`, which moves while it grows */
    struct td_buf texts;
};

static size_t keep_text(struct td_buf *texts, const char *text) {
    size_t at = texts->len;
    td_buf_add(texts, text, strlen(text) + 1);
    return at;
}

/* What was gathered goes into the working tables. */
static int store_gathered(struct scan *scan) {
    struct td_engine *engine = scan->engine;
    int rc = 0;
    pthread_mutex_lock(&engine->scan_lock);
    for (size_t i = 0; i < scan->count && rc == 0; i++) {
        struct td_entry *entry = &scan->gathered[i];
        entry->path = scan->texts.data + scan->path_at[i];
        if (entry->target != NULL)
            entry->target = scan->texts.data + scan->target_at[i];
        rc = td_work_scan(engine->ledger, scan->side, entry, &scan->error);
    }
    engine->shown.side[scan->side].done += scan->count;
    if (engine->progress != NULL && scan->count > 0)
        td_progress_show(engine->progress, &engine->shown, td_boot_ns());
    pthread_mutex_unlock(&engine->scan_lock);
    scan->count = 0;
    td_buf_clear(&scan->texts);
    return rc;
}

static int store_entry(void *ctx, const struct td_entry *entry) {
    struct scan *scan = ctx;
    scan->gathered[scan->count] = *entry;
    scan->path_at[scan->count] = keep_text(&scan->texts, entry->path);
    scan->target_at[scan->count] = entry->target != NULL ? keep_text(&scan->texts, entry->target) : 0;
    return ++scan->count == GATHER ? store_gathered(scan) : 0;
}

static void *scan_side(void *ctx) {
    struct scan *scan = ctx;
    struct td_engine *engine = scan->engine;
    struct td_walk_options options = {
        .exclude = engine->exclude,
        .skip_top = engine->side[scan->side].skip_top,
        .one_filesystem = scan->side != TD_SOURCE || engine->collection->one_filesystem,
        .cancel = &engine->stop->now,
        .entries = scan->entries,
    };
    if (scan->side != TD_SOURCE)
        options.exclude = NULL; /* what is excluded now may lie on a member from before */
    scan->rc = td_walk(engine->side[scan->side].root, &options, store_entry, scan, &scan->error);
    if (scan->rc == 0)
        scan->rc = store_gathered(scan);
    td_buf_free(&scan->texts);
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

/* What cannot be looked into may hold something. */
static bool holds_anything(int root, const char *name) {
    struct stat st;
    if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno != ENOENT;
    int fd = S_ISDIR(st.st_mode) ? td_open_beneath(root, name, O_RDONLY | O_DIRECTORY, 0) : -1;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        td_cleanup_fd(&fd);
        return true;
    }
    int names = 0;
    while (names < 3 && readdir(dir) != NULL) /* "." and ".." */
        names++;
    closedir(dir);
    return names == 3;
}

/* What the source has under names that are not part of the tree is told: whoever keeps something there would not miss
 * it in the backup before it is needed. */
static int tell_left_out(struct td_engine *engine, struct td_error *err) {
    const struct td_engine_side *source = &engine->side[TD_SOURCE];
    int rc = 0;
    for (const char *const *name = source->skip_top; name != NULL && *name != NULL && rc == 0; name++)
        if (source->root >= 0 && !td_excluded(engine->exclude, *name, true) && holds_anything(source->root, *name))
            rc = td_engine_incident(engine, TD_INCIDENT_NOTED, TD_CAUSE_LEFT_OUT, *name, TD_SOURCE, NULL, err);
    return rc;
}

/* Inodes in use on the fuller member, which holds nothing but the collection: about what each of the trees has, unless
 * this is the first copy. A directory somewhere on a filesystem (sync) says nothing about what lies in it. */
static uint64_t guess_entries(const struct td_engine *engine) {
    struct statvfs fs;
    uint64_t most = 0;
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_engine_side *member = &engine->side[side];
        if (member->from_device && member->root >= 0 && fstatvfs(member->root, &fs) == 0 && fs.f_files > fs.f_ffree &&
            fs.f_files - fs.f_ffree > most)
            most = fs.f_files - fs.f_ffree;
    }
    return most;
}

int td_engine_scan(struct td_engine *engine, unsigned sides, struct td_error *err) {
    struct scan scans[TD_SIDES] = {0};
    uint64_t entries = guess_entries(engine);
    struct stat st;
    int rc = 0;
    bool known = engine->side[TD_SOURCE].root >= 0 && fstat(engine->side[TD_SOURCE].root, &st) == 0;
    td_ledger_source(engine->ledger, known ? st.st_dev : 0);
    engine->phase = "looking";
    engine->shown = (struct td_progress_state){.phase = engine->phase};
    for (int side = 0; side < TD_SIDES && rc == 0; side++) {
        scans[side] = (struct scan){.engine = engine, .side = (enum td_side)side, .entries = entries};
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
    if (rc == 0 && (sides & TD_SIDE_BIT(TD_SOURCE)) != 0)
        rc = tell_left_out(engine, err);
    return rc != 0 ? rc : td_work_link(engine->ledger, err);
}
