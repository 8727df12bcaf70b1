/*
 * Bringing back what was, shared among the parts of it:
 *
 *   restore.c          the command: dock, time, paths, report
 *   restore_paths.c    which of the paths need no bringing back, as another one has them
 *   restore_tree.c     one tree made anew, with everything that a backup keeps
 *   restore_content.c  a content found by its SHA-256 on one member or the other, and proven
 *   restore_drill.c    the same as an exercise
 */
#ifndef TWINDOCK_RUN_RESTORE_PRIVATE_H
#define TWINDOCK_RUN_RESTORE_PRIVATE_H

#include "twindock/base/buf.h"
#include "twindock/ledger/history.h"
#include "twindock/platform/delta.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"

struct td_late_directory; /* gets its attributes when all that is in it is there */

struct td_restoring {
    const struct td_app *app;
    const struct td_restore_request *request;
    struct td_ledger *ledger;
    struct td_docking docking;
    const struct td_pair *pair;
    const struct td_collection_config *collection;
    int live[TD_SIDES], history[TD_SIDES]; /* the collection, and .twindock/history; -1: not there */
    int64_t when, run, started;            /* asked for; the run that it comes to */
    int dir;                               /* where it goes */
    int blank;                             /* something without extended attributes */
    void *buffer;                          /* TD_READ_SIZE */
    struct td_delta_watch watch;
    size_t spans; /* at most in memory at once of what is wanted of a file; 0: as many as do well */

    uint64_t files, directories, others, links, bytes;
    uint64_t failed, damaged, fell_back;
    struct td_buf trouble;   /* sentences, a line each */
    struct td_json *details; /* the same as a list; NULL: not wanted */

    struct td_late_directory *late;
    void *linked; /* tree of (device, inode, content) to the first path */
    bool found;   /* something of what was asked for */
    struct td_error *err;
};

/* As typed, from the source's root, or with the collection's name before it: what it is in the collection. malloc'ed.
 */
char *td_restore_plain_path(const struct td_collection_config *collection, const char *typed);

/* Which of the request's paths (by their index) are to be brought back: all but those that equal another one or lie in
 * it. 0 or a negative errno. */
int td_restore_outermost(struct td_restoring *restoring, bool *wanted);

/* Something went wrong with one path; `what` is a few words. */
void td_restore_trouble(struct td_restoring *restoring, const char *path, const char *what);

/* Write the content `hash` into fd (empty), from whichever member has it whole. 0, -ENOENT: nobody has, or another
 * negative errno of this machine. Damaged ones are told and passed over. */
int td_restore_content(struct td_restoring *restoring, const char *path, const uint8_t hash[TD_HASH_LEN], int fd);
/* A member that has these extended attributes: a directory descriptor for the caller to close, and a name in it
 * (malloc'ed). -ENOENT: nobody has. */
int td_restore_attributes(struct td_restoring *restoring, const uint8_t xattrs[TD_HASH_LEN], char **name);
/* The same, of a member whose `path` is as `entry` says but for the attributes: those that did fit there. */
int td_restore_attributes_left(struct td_restoring *restoring, const struct td_entry *entry, const char *path,
                               char **name);

/* One state of a path, made below `dir`. Called in path order. Negative errnos are this machine's; single paths that
 * fail are told and counted. */
int td_restore_state(struct td_restoring *restoring, const struct td_state *state);
/* The directories' attributes, last. */
int td_restore_finish_tree(struct td_restoring *restoring);
void td_restore_free_tree(struct td_restoring *restoring);

/* Random files and versions, brought back to nowhere and recorded. An exit code, or a negative errno. */
int td_restore_drill(struct td_restoring *restoring, struct td_buf *out);

#endif
