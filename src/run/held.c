#include "twindock/run/held.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/dock/source.h"
#include "twindock/run/need.h"
#include "twindock/run/notify.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- opening --------------------------------------------------------------------------------------------- */

static int find_pair(struct td_held *held, const char *collection, struct td_error *err) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count = 0;
    int rc = td_ledger_pairs(held->ledger, &pairs, &count, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].collection, collection) == 0) {
            held->pair = pairs[i];
            return 0;
        }
    td_fail_text(err, ENOENT, "%s is not enrolled: no disks are known for it", collection);
    return TD_EXIT_REFUSED;
}

int td_held_open(struct td_held *held, const struct td_app *app, const char *command, const char *collection,
                 struct td_error *err) {
    *held = (struct td_held){.app = app, .source = -1};
    int lacking = td_need_collection(app->config, collection, err);
    if (lacking != 0)
        return lacking;
    held->collection = td_config_collection(app->config, collection);
    int rc = td_ledger_open(app->config->ledger, &held->ledger, err);
    if (rc == 0)
        rc = find_pair(held, collection, err);
    snprintf(held->run.command, sizeof held->run.command, "%s", command);
    return rc;
}

int td_held_open_source(struct td_held *held, const struct td_observation *seen, struct td_error *err) {
    TD_AUTOBUF struct td_buf why = {0};
    held->source = td_source_open(held->collection, seen, &why, err);
    struct stat st;
    if (held->source >= 0 && fstat(held->source, &st) == 0)
        td_ledger_source(held->ledger, st.st_dev);
    if (held->source != -ENOENT)
        return held->source < 0 ? held->source : 0;
    td_fail_text(err, ENOENT, "%s", td_buf_text(&why));
    return TD_EXIT_REFUSED;
}

void td_held_close(struct td_held *held) {
    for (size_t i = 0; i < held->count; i++)
        free(held->files[i].path);
    free(held->files);
    free(held->run.reason);
    if (held->source >= 0)
        close(held->source);
    td_ledger_close(held->ledger);
}

/* --- which files ----------------------------------------------------------------------------------------- */

static int add_file(void *ctx, const struct td_file *file) {
    struct td_held *held = ctx;
    if ((held->count & (held->count - 1)) == 0) { /* room for twice as many at each power of two */
        struct td_held_file *more = reallocarray(held->files, 2 * held->count + 1, sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        held->files = more;
    }
    char *path = strdup(file->entry.path);
    if (path == NULL)
        return -ENOMEM;
    held->files[held->count++] = (struct td_held_file){.path = path};
    return 0;
}

/* "./a/b/" as "a/b", "." as "". The result is the caller's. */
static char *tidy(const char *path) {
    while (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))
        path += path[1] == '/' ? 1 + strspn(path + 1, "/") : 1;
    char *copy = strdup(path);
    for (size_t len = copy != NULL ? strlen(copy) : 0; len > 0 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    return copy;
}

/* What of `path` is below `above`; NULL: it is not. */
static const char *below(const char *above, const char *path) {
    size_t len = strlen(above);
    while (len > 1 && above[len - 1] == '/')
        len--;
    if (strncmp(above, path, len) != 0 || (path[len] != '/' && path[len] != '\0' && path[len - 1] != '/'))
        return NULL;
    return path + len + strspn(path + len, "/");
}

static bool want(struct td_held *held, const char *path) {
    bool found = false;
    TD_AUTOFREE char *clean = path != NULL ? tidy(path) : NULL;
    for (size_t i = 0; clean != NULL && i < held->count; i++) {
        if (!td_path_below(clean, held->files[i].path))
            continue;
        found = true;
        held->wanted += !held->files[i].wanted;
        held->files[i].wanted = true;
    }
    return found;
}

/* The name that a report calls it by begins with the collection's. */
static bool want_any(struct td_held *held, const char *path) {
    if (path[0] == '/')
        return want(held, below(held->collection->source, path));
    return want(held, path) || want(held, below(held->collection->name, path));
}

static int nothing_meant(const struct td_held *held, const char *path, struct td_error *err) {
    if (held->count == 0)
        td_fail_text(err, ENOENT, "No file of %s is held: there is nothing to %s. Rot is found by twindock run.",
                     held->collection->name, held->run.command);
    else
        td_fail_text(err, ENOENT,
                     "No file that is held is called %s, or lies below it. Name files as the report of the run does, "
                     "below %s; `.` stands for all that are held (%zu). Nothing was done.",
                     path, held->collection->source, held->count);
    return TD_EXIT_REFUSED;
}

int td_held_select(struct td_held *held, const char *const *paths, size_t count, struct td_error *err) {
    int rc = td_ledger_held(held->ledger, held->pair.id, add_file, held, err);
    if (rc == -ENOMEM)
        return td_fail(err, ENOMEM, "listing what is held");
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (!want_any(held, paths[i]))
            rc = nothing_meant(held, paths[i], err);
    return rc;
}

/* --- names of one file ------------------------------------------------------------------------------------- */

struct names {
    struct td_held *held;
    const struct td_entry *entry;
    char **list;
    size_t count;
};

static int add_name(struct names *names, const char *path) {
    char **more = reallocarray(names->list, names->count + 2, sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    names->list = more;
    names->list[names->count + 1] = NULL;
    names->list[names->count] = strdup(path);
    return names->list[names->count++] == NULL ? -ENOMEM : 0;
}

static int add_if_same(void *ctx, const struct td_file *file) {
    struct names *names = ctx;
    struct stat st;
    const char *name;
    if (strcmp(file->entry.path, names->list[0]) == 0 || !S_ISREG(file->entry.mode))
        return 0;
    TD_AUTOCLOSE int dir = td_open_parent(names->held->source, file->entry.path, &name);
    if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_dev != names->entry->dev ||
        st.st_ino != names->entry->ino)
        return 0;
    return add_name(names, file->entry.path);
}

int td_held_names(struct td_held *held, const char *path, const struct td_entry *entry, char ***out, size_t *count,
                  struct td_error *err) {
    struct names names = {.held = held, .entry = entry};
    int rc = add_name(&names, path);
    if (rc == 0 && entry->nlink > 1)
        rc = td_ledger_names(held->ledger, held->pair.id, entry->ino, add_if_same, &names, err);
    for (size_t i = 1; rc == 0 && i < names.count; i++) /* only the first can be out of order */
        if (strcmp(names.list[i - 1], names.list[i]) > 0) {
            char *later = names.list[i - 1];
            names.list[i - 1] = names.list[i];
            names.list[i] = later;
        }
    *out = names.list;
    *count = names.count;
    return rc == -ENOMEM ? td_fail(err, ENOMEM, "listing the names of %s", path) : rc;
}

void td_names_free(char **names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        free(names[i]);
    free(names);
}

void td_held_done(struct td_held *held, char *const *names) {
    for (; *names != NULL; names++)
        for (size_t i = 0; i < held->count; i++)
            if (!held->files[i].done && strcmp(held->files[i].path, *names) == 0) {
                held->files[i].done = true;
                held->healed++;
                held->wanted += !held->files[i].wanted;
                held->files[i].wanted = true;
            }
}

/* --- the record ---------------------------------------------------------------------------------------------- */

int td_held_begin(struct td_held *held, const char *dock, struct td_error *err) {
    struct td_run *run = &held->run;
    snprintf(run->dock, sizeof run->dock, "%s", dock);
    snprintf(run->collection, sizeof run->collection, "%s", held->pair.collection);
    snprintf(run->uuid, sizeof run->uuid, "%s", held->pair.uuid);
    if (gethostname(run->host, sizeof run->host - 1) != 0)
        run->host[0] = '\0';
    run->pair = held->pair.id;
    run->started = td_wall_seconds();
    run->verdict = TD_OK;
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run->state[side], sizeof run->state[side], "untouched");
    return td_ledger_run_begin(held->ledger, run, err);
}

int td_held_tell(struct td_held *held, enum td_incident_kind kind, enum td_cause cause, const char *path, char member,
                 const char *detail, struct td_error *err) {
    struct td_incident incident = {kind, cause, path, member, detail};
    struct td_counts *counts = &held->run.counts;
    uint64_t *const counters[] = {[TD_INCIDENT_HELD] = &counts->held,
                                  [TD_INCIDENT_REPAIRED] = &counts->repaired,
                                  [TD_INCIDENT_UNREADABLE] = &counts->unreadable,
                                  [TD_INCIDENT_NOTED] = &counts->noted};
    ++*counters[kind];
    if (kind == TD_INCIDENT_UNREADABLE)
        held->run.exit = td_exit_worse(held->run.exit, cause == TD_CAUSE_BACKUP_ROT ? TD_EXIT_ROT : TD_EXIT_UNREADABLE);
    return td_ledger_incident(held->ledger, held->run.id, &incident, err);
}

static const char *number(uint64_t n) {
    return n == 1 ? "" : "s";
}

/* What was done, and what comes next. */
static void give_reason(struct td_held *held) {
    TD_AUTOBUF struct td_buf text = {0};
    uint64_t n = held->healed;
    if (strcmp(held->run.command, "heal") == 0 && n > 0) {
        td_buf_printf(&text, "%" PRIu64 " file%s in the source %s ", n, number(n), n == 1 ? "is" : "are");
        if (held->from[0] == '\0')
            td_buf_puts(&text, "right already.");
        else
            td_buf_printf(&text, "put right from member%s and read back.",
                          held->from[1] != '\0'  ? "s A and B"
                          : held->from[0] == 'A' ? " A"
                                                 : " B");
        td_buf_printf(&text, " The next run proves %s.", n == 1 ? "it" : "them");
    } else if (n > 0)
        td_buf_printf(&text,
                      "What the source holds of %" PRIu64
                      " file%s is taken as right. The next run copies %s; what the disks hold now "
                      "goes into their history.",
                      n, number(n), n == 1 ? "it" : "them");
    if (held->wanted > n)
        td_buf_printf(&text, "%s%" PRIu64 " of %" PRIu64 " file%s %s left as %s.", n > 0 ? " " : "", held->wanted - n,
                      held->wanted, number(held->wanted), held->wanted - n == 1 ? "was" : "were",
                      held->wanted - n == 1 ? "it was" : "they were");
    free(held->run.reason);
    held->run.reason = td_buf_take(&text);
}

int td_held_end(struct td_held *held, int rc, const char *safe, struct td_buf *out, struct td_error *err) {
    struct td_run *run = &held->run;
    run->result = TD_RESULT_DONE;
    if (rc == -ECANCELED) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = TD_EXIT_SIGNAL + atomic_load(&held->app->stop->signal);
    } else if (rc != 0) {
        run->result = TD_RESULT_FAILED;
        run->exit = TD_EXIT_INTERNAL;
        run->reason = strdup(err->text);
    }
    if (run->reason == NULL)
        give_reason(held);
    run->ended = td_wall_seconds();
    int ended = td_ledger_run_end(held->ledger, run, rc == 0 ? err : NULL);
    if (ended == 0)
        ended = td_notify_print(held->app, held->ledger, run, safe, out, err);
    return ended != 0 ? ended : run->exit;
}
