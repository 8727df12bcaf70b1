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
    bool overdue;
    int64_t last_drill; /* the last restore drill that found nothing wrong; 0: never */
    struct td_member members[2];
};

/* Facts from which the flag of a row follows. */
struct td_info_state {
    bool running, interrupted, never;
    const char *phase;
    uint64_t done, all;
    bool last_failed;        /* the last run ended with an exit code other than 0 */
    int last_exit;           /* its exit code: says what failed when there is no last_reason */
    enum td_verdict verdict; /* of the last run */
    int64_t last_end;
    const char *last_reason; /* its sentence */
    bool overdue;            /* last_backup older than `overdue` */
    int64_t overdue_days;    /* since the last backup */
    bool unproven;           /* a copy was never proven, or longer ago than prove_within */
    const char *mail_error;  /* the last mail could not be handed over */
};
/* '*' before '!' before '?' ; fills row->flag and row->reason (malloc'ed). Reasons read like the example in the
 * specification: "refused Wed Sep 10 18:00:04: swapped. Member B ...". */
void td_info_flag(struct td_info_row *row, const struct td_info_state *state);

/* Oldest backup first ("never" before all), then by name; the table as in the specification, and below it, after an
 * empty line, a line for each flagged row. Sorts `rows`. With no rows: a sentence that says how to begin. */
void td_info_print(struct td_info_row *rows, size_t count, struct td_buf *out);
struct td_json *td_info_json(struct td_info_row *rows, size_t count);

#endif
