/* The status table of --info. Pure: rows in, text or JSON out. */
#ifndef TWINDOCK_REPORT_INFO_H
#define TWINDOCK_REPORT_INFO_H

#include "twindock/base/buf.h"
#include "twindock/model/pair.h"
#include "twindock/model/verdict.h"
#include "twindock/platform/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_info_row {
    char collection[TD_NAME_MAX];
    char uuid[TD_UUID_MAX];
    int64_t last_backup; /* wall seconds, 0: never */
    uint64_t used, free; /* bytes */
    bool sized;          /* used and free are known (else the columns show "-") */
    char flag;           /* ' ', '!', '*', '?' */
    char *reason;        /* one sentence, already escaped for people; NULL without a flag */
    char *safe;          /* what the run that has ended said of taking its disks out, while they are there; or NULL */
    bool overdue;
    int64_t last_drill; /* the last restore drill that found nothing wrong; 0: never */
    struct td_member members[2];
};

/* Facts from which the flag of a row follows. */
struct td_info_state {
    bool running, interrupted, never;
    const char *phase;
    uint64_t done, all;
    int64_t left;            /* seconds to go in this phase, 0: not known yet */
    bool last_failed;        /* the last run ended with an exit code other than 0 */
    int last_exit;           /* its exit code: says what failed when there is no last_reason */
    enum td_verdict verdict; /* that refused the last run; TD_OK: none did */
    int64_t last_end;
    const char *last_reason; /* its sentence */
    bool overdue;            /* last_backup older than `overdue` */
    int64_t overdue_days;    /* since the last backup */
    char gone;               /* 'A' or 'B': this member is retired, and none has taken its place; 0: both are there */
    char fresh;              /* 'A' or 'B': this member took another's place and no run has filled it yet; 0: none */
    bool unproven;           /* a copy was never proven, or longer ago than prove_within */
    char behind;             /* 'A' or 'B': the last runs that wrote were not seen to reach this member; 0: none */
    bool mirrored;           /* the dock writes both, and `behind` is the half that it does not show */
};
/* '*' before '!' before '?' ; fills row->flag and row->reason (malloc'ed). Reasons read like the example in the
 * specification: "refused Wed Sep 10 18:00:04: swapped. Member B ...". */
void td_info_flag(struct td_info_row *row, const struct td_info_state *state);

/* Oldest backup first ("never" before all), then by name; the table as in the specification, and below it, after an
 * empty line, a line for each flagged row. Sorts `rows`. With no rows: a sentence that says how to begin. */
void td_info_print(struct td_info_row *rows, size_t count, struct td_buf *out);
struct td_json *td_info_json(struct td_info_row *rows, size_t count);

/* Mails that nobody has got: seen here, or nowhere. */
struct td_info_mail {
    uint64_t kept;
    int64_t since; /* wall seconds, of the oldest */
    const char *error;
};
/* A line after an empty one; nothing when all mails were handed over. */
void td_info_print_mail(const struct td_info_mail *mail, struct td_buf *out);
/* The member "mail" of the object that td_info_json() made. */
void td_info_json_mail(const struct td_info_mail *mail, struct td_json *object);

#endif
