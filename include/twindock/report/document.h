/* What commands say at their end, for people and as the JSON that others build on. Pure. */
#ifndef TWINDOCK_REPORT_DOCUMENT_H
#define TWINDOCK_REPORT_DOCUMENT_H

#include "twindock/base/buf.h"
#include "twindock/model/outcome.h"
#include "twindock/model/verdict.h"
#include "twindock/platform/json.h"

#include <stddef.h>
#include <stdint.h>

/* One dock as `check` shows it: plain data that the run fills in from an observation and its judgement. */
struct td_check_slot {
    bool present;
    char device[64];
    char member; /* 'A', 'B', 0: not a member */
    char serial[64];
    const char *identity; /* "ata", "nvme", "scsi", "bridge", "sysfs", "udev", "card", "none" */
    int64_t generation;   /* -1: unknown */
    char *description;    /* "member B of M (serial ...)" */
};
struct td_check {
    char dock[64];
    const char *mode; /* "individual", "mirror" */
    enum td_verdict verdict;
    char *advice;
    char collection[64], uuid[37];
    struct td_check_slot slots[2]; /* source, destination */
    char *full;                    /* --full, for people: what reading all of it said; NULL: it was not read */
    struct td_json *full_json;     /* the same as JSON, taken over by td_check_json */
};
void td_check_print(const struct td_check *checks, size_t count, struct td_buf *out);
struct td_json *td_check_json(struct td_check *checks, size_t count);

/* A finished run with its incidents. */
struct td_report {
    const struct td_run *run;
    const struct td_incident *incidents;
    size_t incident_count;
    const char *safe; /* "safe to remove" sentence, or NULL */
};
/* The sentence that matters: the run's reason where it has one, else made from its counts, states and incidents. One
 * line, escaped; it may be stored as the reason of a run that failed without one. */
void td_report_sentence(const struct td_report *report, struct td_buf *out);
/* One line for each incident, at most `cap` of them, then how many more there are. Names escaped. */
void td_report_list(const struct td_report *report, size_t cap, struct td_buf *out);
/* A few lines of at most 79 columns, names escaped: what was done, what was found (each incident a line, at most `cap`
 * of them, then how many more), the sentence that matters, and in a line of its own whether disks are safe to remove.
 */
void td_report_print(const struct td_report *report, size_t cap, struct td_buf *out);
/* The JSON object of run, verify, sync. */
struct td_json *td_report_json(const struct td_report *report);

/* RESTORE.txt: how to get everything back with mount, rsync and sha256sum alone; written for a stranger in ten years.
 */
struct td_restore_facts {
    const char *collection, *target, *uuid, *source, *host;
    char member;
    bool mirrored;       /* the dock wrote the pair: both halves have this text */
    int64_t last_change; /* start of the last run that changed something on the disk, wall seconds; 0: none has */
    /* A delta that lies on this disk, for the example: its place below history/, and the path in the collection whose
     * content it stands on. NULL: there is none. */
    const char *delta, *delta_base;
    bool other_ledger; /* a copy of another ledger lies beside this one's */
};
void td_restore_text(const struct td_restore_facts *facts, struct td_buf *out);
/* Do two such texts differ in nothing but the date of the last change? */
bool td_restore_same(const char *a, const char *b);

#endif
