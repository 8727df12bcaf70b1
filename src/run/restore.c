/* `restore`: the dock, the time and the paths that were asked for; and what came of it. */
#include "restore_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/platform/json.h"
#include "twindock/report/text.h"
#include "twindock/run/docks.h"
#include "twindock/run/need.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TROUBLE_MAX 100 /* lines for a person; JSON has all */

void td_restore_trouble(struct td_restoring *restoring, const char *path, const char *what) {
    static const char cut[] = "  and more\n";
    if (restoring->details != NULL) {
        struct td_json *item = td_json_append(restoring->details, td_json_object());
        td_json_path(item, "path", path);
        td_json_text(item, "what", what);
    }
    uint64_t said = restoring->failed + restoring->damaged;
    if (said > TROUBLE_MAX + 1)
        return;
    if (said > TROUBLE_MAX) {
        td_buf_puts(&restoring->trouble, cut);
        return;
    }
    td_buf_puts(&restoring->trouble, "  ");
    td_text_path(&restoring->trouble, restoring->collection->name, path);
    td_buf_puts(&restoring->trouble, ": ");
    td_text_prose(&restoring->trouble, what);
    td_buf_putc(&restoring->trouble, '\n');
}

static int tick(void *ctx) {
    return td_stop_asked(ctx) ? -ECANCELED : 0;
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

static int refuse(struct td_restoring *restoring, struct td_buf *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(struct td_restoring *restoring, struct td_buf *out, const char *format, ...) {
    const char *collection = restoring->request->collection;
    char text[TD_ERROR_TEXT];
    va_list args;
    if (collection == NULL && restoring->pair != NULL)
        collection = restoring->pair->collection;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (restoring->app->json) {
        struct td_json *json = td_json_object();
        td_json_text(json, "collection", collection);
        td_json_text(json, "result", "refused");
        td_json_int(json, "exit", TD_EXIT_REFUSED);
        td_json_text(json, "reason", text);
        td_json_print(json, out);
        td_json_free(json);
    } else {
        td_text_path(out, "", collection != NULL ? collection : "restore");
        td_buf_puts(out, " refused: ");
        td_text_prose(out, text);
        td_buf_putc(out, '\n');
    }
    return TD_EXIT_REFUSED;
}

static bool same_directory(int a, const struct stat *b) {
    struct stat st;
    return fstat(a, &st) == 0 && st.st_dev == b->st_dev && st.st_ino == b->st_ino;
}

/* Is `dir` the directory `of`, or somewhere below it? */
static bool lies_in(int dir, int of) {
    struct stat top, root;
    int at = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool found = false;
    if (at < 0 || fstat(of, &top) != 0 || stat("/", &root) != 0) {
        td_cleanup_fd(&at);
        return false;
    }
    for (;;) {
        found = same_directory(at, &top);
        if (found || same_directory(at, &root))
            break;
        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = up;
        if (at < 0)
            return false;
    }
    close(at);
    return found;
}

/* May anything be written below `dir`, which is the destination or what it is to be made in? An exit code when not. */
static int may_write_in(struct td_restoring *restoring, int dir, struct td_buf *out) {
    const char *to = restoring->request->to;
    struct stat st;
    if (fstat(dir, &st) != 0)
        return refuse(restoring, out, "%s cannot be opened: %s", to, strerror(errno));
    TD_AUTOCLOSE int source = open(restoring->collection->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (source >= 0 && lies_in(dir, source))
        return refuse(restoring, out,
                      "%s lies in the source of %s, which a restore must not change; name another "
                      "directory with --to",
                      to, restoring->collection->name);
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_slot *slot = td_docking_slot(&restoring->docking, (enum td_side)side);
        if (slot != NULL && slot->fs.device.number == st.st_dev)
            return refuse(restoring, out, "%s lies on the backup itself; name a directory elsewhere with --to", to);
    }
    return 0;
}

/* Make the directory where everything goes, unless it would be where nothing must be written. */
static int make_destination(struct td_restoring *restoring, struct td_buf *out) {
    const char *to = restoring->request->to;
    TD_AUTOFREE char *copy = strdup(to);
    if (copy == NULL)
        return td_fail(restoring->err, ENOMEM, "restoring");
    TD_AUTOCLOSE int parent = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return refuse(restoring, out, "%s cannot be made: %s", to, strerror(errno));
    int code = may_write_in(restoring, parent, out);
    if (code != 0 || mkdir(to, 0700) == 0)
        return code;
    return refuse(restoring, out, "%s cannot be made: %s", to, strerror(errno));
}

/* Open (make) the directory where everything goes; an exit code when it must not. */
static int open_destination(struct td_restoring *restoring, struct td_buf *out) {
    const char *to = restoring->request->to;
    struct stat st;
    int code = stat(to, &st) != 0 && errno == ENOENT ? make_destination(restoring, out) : 0;
    if (code != 0)
        return code;
    restoring->dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (restoring->dir < 0)
        return refuse(restoring, out, "%s cannot be opened: %s", to, strerror(errno));
    return may_write_in(restoring, restoring->dir, out);
}

/* --- paths ------------------------------------------------------------------------------------------------------- */

char *td_restore_plain_path(const struct td_collection_config *collection, const char *typed) {
    size_t source = strlen(collection->source), name = strlen(collection->name);
    const char *path = typed;
    if (*typed == '/' && strncmp(typed, collection->source, source) == 0 &&
        (typed[source] == '/' || typed[source] == '\0' || collection->source[source - 1] == '/'))
        path = typed + source;
    while (strncmp(path, "./", 2) == 0 || *path == '/')
        path += *path == '/' ? 1 : 2;
    if (path == typed && strncmp(path, collection->name, name) == 0 && (path[name] == '/' || path[name] == '\0'))
        path += name;
    while (*path == '/')
        path++;
    char *plain = strdup(strcmp(path, ".") == 0 ? "" : path);
    for (size_t len = plain != NULL ? strlen(plain) : 0; len > 0 && plain[len - 1] == '/';)
        plain[--len] = '\0';
    return plain;
}

static int make_state(void *ctx, const struct td_state *state) {
    return td_restore_state(ctx, state);
}

/* It is not there at that time: perhaps it was, before. */
static int say_gone(struct td_restoring *restoring, const char *typed, const char *plain) {
    const char *tries[] = {typed, plain};
    struct td_error none = {0};
    int64_t gone = 0, before = 0;
    char since[TD_MOMENT_MAX], until[TD_MOMENT_MAX], text[256];
    int rc = -ENOENT;
    for (size_t i = 0; i < 2 && rc == -ENOENT; i++)
        rc = td_ledger_deleted(restoring->ledger, restoring->pair->id, restoring->run, tries[i], &gone, &before, &none);
    if (rc != 0 && rc != -ENOENT)
        return td_fail_text(restoring->err, -rc, "%s", none.text);
    td_format_moment(since, gone);
    td_format_moment(until, before);
    snprintf(text, sizeof text, "it was deleted at %s; say --as-of '%s' to have it as it was before", since, until);
    restoring->failed++;
    td_restore_trouble(restoring, plain,
                       rc == 0 ? text : "there was nothing of that name at that time; see `twindock history`");
    return 0;
}

static int bring_back_path(struct td_restoring *restoring, const char *typed) {
    TD_AUTOFREE char *plain = td_restore_plain_path(restoring->collection, typed);
    const char *tries[] = {typed, plain};
    if (plain == NULL)
        return td_fail(restoring->err, ENOMEM, "restoring");
    restoring->found = false;
    for (size_t i = strcmp(typed, plain) == 0 || *typed == '/'; i < 2 && !restoring->found; i++) {
        int rc = td_ledger_tree(restoring->ledger, restoring->pair->id, restoring->run, tries[i], make_state, restoring,
                                restoring->err);
        if (rc != 0)
            return rc;
    }
    return restoring->found ? 0 : say_gone(restoring, typed, plain);
}

static int bring_back(struct td_restoring *restoring) {
    const struct td_restore_request *request = restoring->request;
    TD_AUTOFREE bool *wanted = calloc(request->path_count + 1, sizeof *wanted);
    if (wanted == NULL)
        return td_fail(restoring->err, ENOMEM, "restoring");
    int rc = td_restore_outermost(restoring, wanted);
    if (rc != 0)
        return rc;
    restoring->blank = memfd_create("twindock", MFD_CLOEXEC);
    if (restoring->blank < 0)
        return td_fail(restoring->err, errno, "restoring");
    if (request->all)
        rc = td_ledger_tree(restoring->ledger, restoring->pair->id, restoring->run, "", make_state, restoring,
                            restoring->err);
    for (size_t i = 0; i < request->path_count && rc == 0; i++)
        if (wanted[i])
            rc = bring_back_path(restoring, request->paths[i]);
    if (rc == 0)
        rc = td_restore_finish_tree(restoring);
    if (rc == 0 && syncfs(restoring->dir) != 0)
        rc = td_fail(restoring->err, errno, "cannot write to %s", request->to);
    close(restoring->blank);
    return rc;
}

/* --- the report ----------------------------------------------------------------------------------------------------
 */

static int exit_code(const struct td_restoring *restoring, int rc) {
    if (rc == -ECANCELED)
        return TD_EXIT_SIGNAL + atomic_load(&restoring->app->stop->signal);
    if (rc != 0)
        return rc == -ENOSPC || rc == -EDQUOT || rc == -EROFS ? TD_EXIT_UNREADABLE : TD_EXIT_INTERNAL;
    int code = restoring->failed > 0 ? TD_EXIT_UNREADABLE : TD_EXIT_OK;
    return restoring->damaged > 0 ? td_exit_worse(code, TD_EXIT_ROT) : code;
}

static void say_json(struct td_restoring *restoring, int code, int rc, struct td_buf *out) {
    struct td_json *json = td_json_object();
    char when[TD_ISO_MAX];
    td_json_text(json, "collection", restoring->collection->name);
    td_json_text(json, "pair", restoring->pair->uuid);
    td_json_int(json, "run", restoring->run);
    td_json_text(json, "as_of", td_text_iso(when, restoring->started));
    td_json_text(json, "to", restoring->request->to);
    td_json_text(json, "result", rc == -ECANCELED ? "interrupted" : rc != 0 ? "failed" : "done");
    td_json_bool(json, "complete", rc == 0 && restoring->failed == 0);
    td_json_int(json, "exit", code);
    td_json_int(json, "files", (int64_t)restoring->files);
    td_json_int(json, "links", (int64_t)restoring->links);
    td_json_int(json, "directories", (int64_t)restoring->directories);
    td_json_int(json, "others", (int64_t)restoring->others);
    td_json_int(json, "bytes", (int64_t)restoring->bytes);
    td_json_int(json, "failed", (int64_t)restoring->failed);
    td_json_int(json, "damaged", (int64_t)restoring->damaged);
    td_json_text(json, "reason", rc != 0 && rc != -ECANCELED ? restoring->err->text : NULL);
    td_json_set(json, "trouble", restoring->details);
    restoring->details = NULL;
    td_json_print(json, out);
    td_json_free(json);
}

static void say_text(struct td_restoring *restoring, int rc, struct td_buf *out) {
    char date[TD_DATE_MAX];
    td_format_date(date, restoring->started);
    td_buf_printf(out, "%s  as of %s (run %lld)\n   ", restoring->collection->name, date, (long long)restoring->run);
    td_text_count(out, restoring->files, "file", "files");
    td_buf_puts(out, " (");
    td_text_size(out, restoring->bytes);
    td_buf_puts(out, ") and ");
    td_text_count(out, restoring->directories, "directory", "directories");
    td_buf_puts(out, " brought back to ");
    td_escape_text(out, restoring->request->to);
    td_buf_puts(out, ", each file proven by its SHA-256.\n   ");
    if (rc == -ECANCELED)
        td_buf_puts(out, "INCOMPLETE: stopped before the end.\n");
    else if (rc != 0)
        td_buf_printf(out, "INCOMPLETE: %s.\n", restoring->err->text);
    else if (restoring->failed > 0)
        td_buf_printf(out, "INCOMPLETE: %ju could not be brought back as they were.\n", (uintmax_t)restoring->failed);
    else
        td_buf_puts(out, "Complete: everything that was asked for is there.\n");
    if (restoring->damaged > 0)
        td_buf_printf(out, "   %ju damaged on a disk; %s\n", (uintmax_t)restoring->damaged,
                      restoring->failed == 0     ? "it was taken from elsewhere. A run repairs them."
                      : restoring->fell_back > 0 ? "what could be was taken from elsewhere, and a run repairs that."
                                                 : "no other copy of that is here.");
    td_buf_puts(out, td_buf_text(&restoring->trouble));
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

static int find_run(struct td_restoring *restoring, struct td_buf *out) {
    struct td_error none = {0};
    int64_t first = 0, began = 0;
    char date[TD_DATE_MAX] = "";
    int rc = td_ledger_run_at(restoring->ledger, restoring->pair->id, restoring->when, &restoring->run,
                              &restoring->started, &none);
    int begins = td_ledger_history_begins(restoring->ledger, restoring->pair->id, &first, &began, &none);
    if (begins == -ENOENT)
        return refuse(restoring, out, "there is no backup yet");
    if (rc == 0 && begins == 0 && restoring->run >= first)
        return 0;
    if (rc != 0 && rc != -ENOENT)
        return td_fail_text(restoring->err, -rc, "%s", none.text);
    td_format_date(date, began);
    return refuse(restoring, out, "the history goes back to %s and not to the time asked for", date);
}

/* Whoever the disks are, they are read only, and every byte is proven: all that must be certain is which member is
 * which. */
static bool may_read(const struct td_judgement *judgement) {
    enum td_verdict verdict = judgement->verdict;
    bool by_card = judgement->hidden && judgement->slots[judgement->slot].match == TD_MATCH_MEMBER;
    return by_card || verdict == TD_OK || verdict == TD_MISSING_MEMBER || verdict == TD_SWAPPED ||
           verdict == TD_AHEAD_OF_LEDGER || verdict == TD_STALE_SOURCE || verdict == TD_UNPROVEN_PAIR ||
           verdict == TD_WRONG_LAYOUT;
}

static int open_members(struct td_restoring *restoring) {
    int any = 0;
    int rc = td_docking_mount(&restoring->docking, restoring->collection->target, true, restoring->err);
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        const struct td_mounted *mounted = &restoring->docking.mounted[side];
        restoring->live[side] = mounted->collection;
        if (mounted->store >= 0)
            restoring->history[side] = td_open_beneath(mounted->store, "history", O_RDONLY | O_DIRECTORY, 0);
        any += mounted->root >= 0;
    }
    return rc != 0 || any > 0 ? rc : td_fail_text(restoring->err, ENODEV, "no member of the pair could be opened");
}

static int work(struct td_restoring *restoring, struct td_buf *out) {
    const struct td_judgement *judgement = &restoring->docking.judgement;
    TD_AUTOBUF struct td_buf advice = {0};
    restoring->pair = judgement->pair;
    td_advise(&restoring->docking.seen, judgement, &advice);
    if (!may_read(judgement))
        return refuse(restoring, out, "%s", td_buf_text(&advice));
    int rc = find_run(restoring, out);
    if (rc == 0 && restoring->request->drill == 0)
        rc = open_destination(restoring, out);
    if (rc == 0)
        rc = open_members(restoring);
    if (rc != 0)
        return rc;
    restoring->buffer = td_buffer_new(TD_READ_SIZE);
    if (restoring->buffer == NULL)
        return td_fail(restoring->err, ENOMEM, "restoring");
    if (restoring->app->json)
        restoring->details = td_json_array();
    if (restoring->request->drill > 0)
        return td_restore_drill(restoring, out);
    rc = bring_back(restoring);
    int code = exit_code(restoring, rc);
    if (restoring->app->json)
        say_json(restoring, code, rc, out);
    else
        say_text(restoring, rc, out);
    return code;
}

static void tear_down(struct td_restoring *restoring) {
    for (int side = TD_A; side <= TD_B; side++)
        td_cleanup_fd(&restoring->history[side]);
    td_cleanup_fd(&restoring->dir);
    td_restore_free_tree(restoring);
    td_docking_close(&restoring->docking);
    td_buf_free(&restoring->trouble);
    td_json_free(restoring->details);
    free(restoring->buffer);
}

struct searching {
    const struct td_app *app;
    const struct td_restore_request *request;
    struct td_ledger *ledger;
    bool found;
};

/* What is asked for by name lies in one dock; an exercise without a name is for all of them. */
static int try_dock(void *ctx, const struct td_dock_config *dock, struct td_buf *out, struct td_error *err) {
    struct searching *searching = ctx;
    const struct td_app *app = searching->app;
    const struct td_restore_request *request = searching->request;
    struct td_ledger *ledger = searching->ledger;
    if (searching->found && request->collection != NULL)
        return 0;
    struct td_restoring restoring = {.app = app,
                                     .request = request,
                                     .ledger = ledger,
                                     .live = {-1, -1, -1},
                                     .history = {-1, -1, -1},
                                     .when = INT64_MAX,
                                     .dir = -1,
                                     .watch = {tick, app->stop},
                                     .err = err};
    if (request->as_of != NULL)
        restoring.when = td_parse_moment(request->as_of);
    td_docking_init(&restoring.docking, app->config, dock);
    int rc = td_docking_lock(&restoring.docking, err);
    if (rc == 0) {
        struct td_policy policy = td_docking_policy(&restoring.docking, false);
        rc = td_docking_look(&restoring.docking, ledger, TD_LOOK_ONCE, &policy, err);
    }
    const struct td_pair *pair = restoring.docking.judgement.pair;
    if (rc == 0 && restoring.docking.judgement.verdict != TD_EMPTY && pair != NULL &&
        (request->collection == NULL || strcmp(pair->collection, request->collection) == 0)) {
        searching->found = true;
        restoring.collection = td_config_collection(app->config, pair->collection);
        rc = td_need_section(app->config, pair->collection, err);
        rc = rc == 0 ? work(&restoring, out) : rc;
    }
    tear_down(&restoring);
    return rc;
}

/* Why no dock would do. */
static int refuse_undocked(const struct td_app *app, const struct td_restore_request *request, struct td_ledger *ledger,
                           struct td_buf *out, struct td_error *err) {
    struct td_restoring nobody = {.app = app, .request = request};
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count = 0;
    int rc = td_ledger_pairs(ledger, &pairs, &count, err);
    bool enrolled = false;
    for (size_t i = 0; rc == 0 && i < count; i++)
        enrolled = enrolled || request->collection == NULL || strcmp(pairs[i].collection, request->collection) == 0;
    if (rc != 0)
        return rc;
    if (!enrolled)
        return refuse(&nobody, out, "no pair is enrolled; dock the two disks and say `twindock enroll %s`",
                      request->collection != NULL ? request->collection : "COLLECTION");
    return refuse(&nobody, out, "%s is docked; one of a pair is enough",
                  request->collection != NULL ? "no disk of it" : "no enrolled disk");
}

int td_command_restore(const struct td_app *app, const struct td_restore_request *request, struct td_buf *out,
                       struct td_error *err) {
    struct searching searching = {.app = app, .request = request};
    struct td_docks docks = {.app = app, .out = out, .err = err};
    int rc = td_need_dock(app->config, err);
    if (rc == 0 && request->collection != NULL)
        rc = td_need_collection(app->config, request->collection, err);
    if (rc != 0)
        return rc;
    if (request->as_of != NULL && td_parse_moment(request->as_of) == -EINVAL) {
        td_fail_text(err, EINVAL, "--as-of %s is no time; write it as 2014-09-02 20:00:04, or the date alone",
                     request->as_of);
        return TD_EXIT_USAGE;
    }
    rc = td_ledger_open(app->config->ledger, &searching.ledger, err);
    if (rc != 0)
        return rc;
    td_docks_visit(&docks, try_dock, &searching);
    rc = td_docks_end(&docks);
    if (rc == 0 && !searching.found && !td_stop_asked(app->stop))
        rc = refuse_undocked(app, request, searching.ledger, out, err);
    td_ledger_close(searching.ledger);
    return rc;
}
