/*
 * Is what the walk did not find really gone? Something renamed into a directory that had been listed already was seen
 * at neither place. So before anything is deleted the source's directories are looked at once more: one that changed
 * since its listing and holds a name that the walk did not see makes every absence doubtful.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/run/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool skipped_at_top(const struct td_engine *engine, const char *name) {
    const char *const *skip = engine->side[TD_SOURCE].skip_top;
    for (; skip != NULL && *skip != NULL; skip++)
        if (strcmp(*skip, name) == 0)
            return true;
    return false;
}

/* Is this name new since the walk? What is excluded was passed over by it, too. */
static int is_newcomer(struct td_engine *engine, int dir, const char *above, const char *name, struct td_buf *path,
                       struct td_error *err) {
    struct td_entry seen;
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (*above == '\0' && skipped_at_top(engine, name)))
        return 0;
    td_buf_clear(path);
    td_buf_printf(path, "%s%s%s", above, *above != '\0' ? "/" : "", name);
    int rc = td_work_entry(engine->ledger, TD_SOURCE, path->data, &seen, err);
    if (rc != -ENOENT)
        return rc;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0; /* gone again */
    return !td_excluded(engine->exclude, path->data, S_ISDIR(st.st_mode));
}

static int doubtful(const char *directory, struct td_buf *path) {
    td_buf_clear(path);
    td_buf_puts(path, directory);
    return 1;
}

/* 1: somebody new is there, named in `path`, or what is there cannot be seen: then `path` is the directory. */
static int look_for_newcomers(struct td_engine *engine, const char *above, int dir, struct td_buf *path,
                              struct td_error *err) {
    DIR *listing = fdopendir(dir);
    int rc = 0;
    if (listing == NULL) {
        close(dir);
        return doubtful(above, path);
    }
    for (struct dirent *entry; rc == 0 && (errno = 0, entry = readdir(listing)) != NULL;)
        rc = is_newcomer(engine, dir, above, entry->d_name, path, err);
    if (rc == 0 && errno != 0)
        rc = doubtful(above, path);
    closedir(listing);
    return rc;
}

static bool unchanged(int dir, const struct td_entry *scanned) {
    struct stat now;
    return fstat(dir, &now) == 0 && td_same_time(&now.st_mtim, &scanned->mtime) &&
           td_same_time(&now.st_ctim, &scanned->ctime);
}

int td_engine_source_quiet(struct td_engine *engine, bool *quiet, struct td_buf *newcomer, struct td_error *err) {
    struct td_cursor *cursor = NULL;
    struct td_entry entry;
    *quiet = true;
    int rc = td_work_entries(engine->ledger, TD_SOURCE, true, &cursor, err);
    while (rc == 0 && *quiet && (rc = td_work_next_entry(cursor, &entry, err)) > 0) {
        rc = 0;
        if (entry.error == EXDEV) /* another filesystem's root */
            continue;
        TD_AUTOCLOSE int dir = td_open_beneath(engine->side[TD_SOURCE].root, entry.path, O_RDONLY | O_DIRECTORY, 0);
        bool gone = dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP;
        if (gone || (dir < 0 ? entry.error != 0 : unchanged(dir, &entry)))
            continue; /* a directory that is gone has changed the one above it, and shows up where it went to */
        int found = dir < 0 ? doubtful(entry.path, newcomer)
                            : look_for_newcomers(engine, entry.path, td_take_fd(&dir), newcomer, err);
        if (found < 0)
            rc = found;
        *quiet = found <= 0;
    }
    td_cursor_close(cursor);
    return rc;
}
