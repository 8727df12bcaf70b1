/*
 * What the program can be asked to do. Each command appends what it has to say to `out` (text, or one JSON object when
 * app->json) and returns an exit code of model/verdict.h, or a negative errno with `err` for what nobody foresaw
 * (the command line prints it and exits 6; -EBUSY is exit 11). A command that has nothing to say, and exits with 0, may
 * say why in `err`: people are not troubled with it, but every JSON object has a reason.
 */
#ifndef TWINDOCK_RUN_COMMANDS_H
#define TWINDOCK_RUN_COMMANDS_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/config.h"
#include "twindock/model/outcome.h"
#include "twindock/run/stop.h"

#include <stdbool.h>
#include <stddef.h>

/* What became of what was said. */
struct td_output {
    bool any;
    int error; /* negative errno of the first that could not be written, or 0 */
};

struct td_app {
    const struct td_config *config;
    struct td_stop *stop;
    bool json;
    /* Give out what has been said so far, before something slow is done (mailing). Empties `out`. */
    void (*flush)(struct td_output *output, struct td_buf *out);
    struct td_output *output;
    /* Say at once, on standard error, what went wrong at one dock when others have something to report. */
    void (*complain)(const struct td_error *err);
};

struct td_run_request {
    bool dry_run, nightly, accept_changes, accept_ahead;
    bool settled;                   /* the caller has waited for the second disk */
    const char *device;             /* --device: the node of an inserted disk, or NULL */
    const char *const *collections; /* only these; none: whatever is docked */
    size_t collection_count;
};
int td_command_run(const struct td_app *app, const struct td_run_request *request, struct td_buf *out,
                   struct td_error *err);

struct td_check_request {
    bool full;        /* read the disks, not only their labels */
    bool every_block; /* also what is free */
};
int td_command_check(const struct td_app *app, const struct td_check_request *request, struct td_buf *out,
                     struct td_error *err);
/* What verify does, for one dock: looks, reads, records, prints. *found false: nothing (of `collection`, NULL: any) is
 * docked there. `run` is for the mail; its reason is the caller's to free. */
int td_verify_dock(const struct td_app *app, struct td_ledger *ledger, const struct td_dock_config *dock,
                   const char *collection, bool *found, struct td_run *run, struct td_buf *out, struct td_error *err);
/* Wait for disks until a signal comes; says what it does as it does it. TD_EXIT_SIGNAL + N. */
int td_command_watch(const struct td_app *app, struct td_buf *out, struct td_error *err);

int td_command_verify(const struct td_app *app, const char *collection, struct td_buf *out, struct td_error *err);
int td_command_info(const struct td_app *app, struct td_buf *out, struct td_error *err);
int td_command_mail_test(const struct td_app *app, struct td_buf *out, struct td_error *err);
/* Mail that a systemd unit failed, with the end of its log. Reads the configuration `file` itself, as it may be the
 * reason; app->config is not used. */
int td_command_mail_failure(const struct td_app *app, const char *file, const char *unit, struct td_buf *out,
                            struct td_error *err);

/* dock NULL: the only dock that holds two disks. `ask` is shown what will be lost and answers whether to go on. */
struct td_format_request {
    const char *collection, *dock;
    bool erase;
    bool (*ask)(void *ctx, const char *question);
    void *ctx;
};
int td_command_format(const struct td_app *app, const struct td_format_request *request, struct td_buf *out,
                      struct td_error *err);
int td_command_enroll(const struct td_app *app, const char *collection, const char *layout, const char *dock,
                      struct td_buf *out, struct td_error *err);

/* Files that are held for rot in the source; a directory stands for all that are held below it. */
int td_command_heal(const struct td_app *app, const char *collection, const char *const *paths, size_t count,
                    struct td_buf *out, struct td_error *err);
int td_command_accept(const struct td_app *app, const char *collection, const char *const *paths, size_t count,
                      struct td_buf *out, struct td_error *err);

/* A new disk takes the place of a member that is gone. The other member, in the dock beside it, is only read; the next
 * run fills the new one. `ask` as above. */
struct td_replace_request {
    const char *collection, *member, *dock; /* member: "A" or "B" */
    bool erase;
    bool (*ask)(void *ctx, const char *question);
    void *ctx;
};
int td_command_replace(const struct td_app *app, const struct td_replace_request *request, struct td_buf *out,
                       struct td_error *err);

/* Forget a pair, or one member of it. Only the ledger is written. `ask` as above. */
struct td_retire_request {
    const char *collection, *member; /* member: "A", "B", or NULL for the whole pair */
    bool (*ask)(void *ctx, const char *question);
    void *ctx;
};
int td_command_retire(const struct td_app *app, const struct td_retire_request *request, struct td_buf *out,
                      struct td_error *err);

/* Which path is which slot: wait for a disk in the one, then in the other. `tell` is given what a person at the dock is
 * to read meanwhile; `out` gets the lines for the configuration, or one JSON object. Needs no configuration. */
struct td_slots_request {
    bool list; /* only what is there now */
    void (*tell)(void *ctx, const char *text);
    void *ctx;
};
int td_command_slots(const struct td_app *app, const struct td_slots_request *request, struct td_buf *out,
                     struct td_error *err);

/* What changed when: reads the ledger only. `path` NULL: all of the collection. */
int td_command_history(const struct td_app *app, const char *collection, const char *path, struct td_buf *out,
                       struct td_error *err);

/* Bring back paths (none: `all`) as they were at `as_of` ("2014-09-02 20:00:04" or a date alone, local; NULL: now) into
 * the directory `to`. With drill > 0: so many random files and versions, to be thrown away again. */
struct td_restore_request {
    const char *collection, *to, *as_of;
    const char *const *paths;
    size_t path_count;
    bool all;
    int64_t drill;
};
int td_command_restore(const struct td_app *app, const struct td_restore_request *request, struct td_buf *out,
                       struct td_error *err);

/* The engine alone. app->config may be NULL. */
int td_command_sync(const struct td_app *app, const char *source, const char *const *destinations, size_t count,
                    struct td_buf *out, struct td_error *err);

#endif
