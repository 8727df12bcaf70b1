/* What heal and accept share: the files of a collection that are held, those that were named, and the record of it. */
#ifndef TWINDOCK_RUN_HELD_H
#define TWINDOCK_RUN_HELD_H

#include "twindock/dock/observe.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/commands.h"

#include <stdbool.h>
#include <stddef.h>

struct td_held_file {
    char *path;
    bool wanted;
    bool done; /* by another of its names */
};

struct td_held {
    const struct td_app *app;
    const struct td_collection_config *collection;
    struct td_ledger *ledger;
    struct td_pair pair;
    int source; /* the collection's root; -1: not open */
    struct td_held_file *files;
    size_t count;
    uint64_t wanted, healed; /* files; names of one file are counted one by one */
    char from[3];            /* members that copies were taken from, "AB" */
    struct td_run run;       /* its reason is owned here */
};

/* Find the collection, open the ledger. 0, or TD_EXIT_USAGE or TD_EXIT_REFUSED with the sentence in `err`; negative. */
int td_held_open(struct td_held *held, const struct td_app *app, const char *command, const char *collection,
                 struct td_error *err);
/* The files held, and which of them `paths` mean: files, or directories for all below them; as they stand in reports,
 * below the collection's source, or absolute. A path that means none is TD_EXIT_REFUSED with the sentence in `err`. */
int td_held_select(struct td_held *held, const char *const *paths, size_t count, struct td_error *err);
/* Open the source: TD_EXIT_REFUSED with the sentence where it is not what the configuration demands. */
int td_held_open_source(struct td_held *held, const struct td_observation *seen, struct td_error *err);
void td_held_close(struct td_held *held);

/* The run's row: begun when something is to be done, and ended. */
int td_held_begin(struct td_held *held, const char *dock, struct td_error *err);
int td_held_end(struct td_held *held, int rc, const char *safe, struct td_buf *out, struct td_error *err);
/* One line of the report, the exit code with it. */
int td_held_tell(struct td_held *held, enum td_incident_kind kind, enum td_cause cause, const char *path, char member,
                 const char *detail, struct td_error *err);

/* All names that the ledger knows of the source's inode `entry`, `path` and others, each looked at in the source, in
 * their order. In an
 * array of malloc'ed texts that ends with NULL; free with td_names_free. */
int td_held_names(struct td_held *held, const char *path, const struct td_entry *entry, char ***out, size_t *count,
                  struct td_error *err);
void td_names_free(char **names);
/* Those of them that were named, too, need nothing any more. */
void td_held_done(struct td_held *held, char *const *names);

#endif
