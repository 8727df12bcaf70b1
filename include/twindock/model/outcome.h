/* What a run did and found: the plain data that the ledger keeps and the report prints. */
#ifndef TWINDOCK_MODEL_OUTCOME_H
#define TWINDOCK_MODEL_OUTCOME_H

#include "twindock/model/entry.h"
#include "twindock/model/verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum td_incident_kind {
    TD_INCIDENT_HELD,       /* a source file is not believed: the members' copy is kept */
    TD_INCIDENT_REPAIRED,   /* a member's copy was wrong and has been made right */
    TD_INCIDENT_UNREADABLE, /* could not be read or copied */
    TD_INCIDENT_NOTED       /* taken over, but worth telling: edited with its mtime kept, no entry in the ledger */
};
extern const char *const td_incident_names[]; /* "held" "repaired" "unreadable" "noted" */

/* Causes, as they stand in JSON and in the ledger. */
enum td_cause {
    TD_CAUSE_NONE,
    TD_CAUSE_SOURCE_ROT,     /* "source-rot" */
    TD_CAUSE_BACKUP_ROT,     /* "backup-rot" */
    TD_CAUSE_ALTERED,        /* "altered": size or mtime of a member's copy changed behind our back */
    TD_CAUSE_EDITED_QUIETLY, /* "edited-mtime-kept" */
    TD_CAUSE_UNPROVABLE,     /* "unprovable": copies differ and the ledger has no entry */
    TD_CAUSE_READ_ERROR,     /* "read-error": EIO and the like; `detail` has the errno's words */
    TD_CAUSE_CHANGING,       /* "changing": changed while it was read, each time */
    TD_CAUSE_WRITE_ERROR,    /* "write-error": a member refused this one file */
    TD_CAUSE_LOST,           /* "no-good-copy": every copy is bad */
    TD_CAUSE_ATTRIBUTES, /* "attributes-not-kept": extended attributes that do not fit on a member; the rest is there */
    TD_CAUSE_TIME,       /* "time-not-kept": a time outside of what a member's filesystem can keep */
    TD_CAUSE_LEFT_OUT,   /* "left-out": a name that a disk's root has for itself; an old target */
    TD_CAUSE_ACCEPTED,   /* "accepted": somebody said that the source is right */
    TD_CAUSE_BRAKE,      /* "brake": changed in the source after the plan, with too many others; not copied */
    TD_CAUSE_COUNT
};
extern const char *const td_cause_names[TD_CAUSE_COUNT];

/* The detail of a "write-error" of a file that is larger than all the room that the member could make. */
#define TD_DETAIL_NO_ROOM "it needs more room than the disk has"

/* The detail of a "read-error" of a directory in the source on which something else is mounted. */
#define TD_DETAIL_MOUNTED_OVER "another filesystem is mounted here and hides what was backed up"

/* How the details of what was found in a member's history begin: each is about one version of the file. */
#define TD_DETAIL_VERSION "in the history: "

struct td_incident {
    enum td_incident_kind kind;
    enum td_cause cause;
    const char *path;
    char member;        /* 'A', 'B', or 0 for the source */
    const char *detail; /* may be NULL */
};

enum td_result {
    TD_RESULT_RUNNING,       /* "running" */
    TD_RESULT_DONE,          /* "done" */
    TD_RESULT_DONE_UNPROVEN, /* "done-unproven": up to date, proof not finished */
    TD_RESULT_REFUSED,       /* "refused" */
    TD_RESULT_FAILED,        /* "failed" */
    TD_RESULT_INTERRUPTED,   /* "interrupted" */
    TD_RESULT_COUNT
};
extern const char *const td_result_names[TD_RESULT_COUNT];

struct td_counts {
    uint64_t files;                                           /* regular files in the source */
    uint64_t bytes;                                           /* their bytes */
    uint64_t copied, copied_bytes, renamed, deleted, updated; /* updated: attributes only */
    uint64_t proven, proven_bytes;                            /* copies read back and compared, over all members */
    uint64_t left;                                            /* copies whose proof is still to do */
    uint64_t held, repaired, unreadable, noted;
    uint64_t given_up, given_up_bytes; /* of the history: files, on the member that gave up most. Not in the ledger */
};

/* The state of a member that has no backup yet, beside one that has. */
#define TD_STATE_NEW "new"

/* One run. Texts are owned by whoever fills it. */
struct td_run {
    int64_t id;   /* 0: not in a ledger (sync) */
    int64_t pair; /* ledger id, 0: none */
    char collection[64];
    char uuid[37];
    char dock[64];
    char command[16]; /* "run", "verify", "sync", "check", "enroll", "format", "retire", "heal", "accept" */
    char host[64];
    int64_t started, ended; /* wall seconds; ended 0: running */
    enum td_verdict verdict;
    enum td_result result;
    int exit;
    char *reason; /* one sentence for a person, NULL when there is nothing to say */
    struct td_counts counts;
    /* per member (index TD_A, TD_B): "ok" "unproven" "untouched" "absent" "unseen" "lost" "full" "new" */
    char state[TD_SIDES][16];
    int previous_exit;      /* of the run of this pair before; 0: good, or there was none */
    bool after_interrupted; /* the run before this one was cut off */
};

#endif
