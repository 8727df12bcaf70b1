/* The verdicts of a dock and the exit codes of the program, as tables. */
#ifndef TWINDOCK_MODEL_VERDICT_H
#define TWINDOCK_MODEL_VERDICT_H

#include <stdbool.h>

/* In the order of judgement: the first that applies is the verdict. */
enum td_verdict {
    TD_EMPTY,
    TD_DOCK_MERGED,
    TD_DUPLICATE_IDENTITY,
    TD_FOREIGN_DISK,
    TD_UNKNOWN_MEMBER,
    TD_MIXED_PAIRS,
    TD_MISSING_MEMBER,
    TD_SWAPPED,
    TD_WRONG_LAYOUT,
    TD_STALE_SOURCE,
    TD_AHEAD_OF_LEDGER,
    TD_UNPROVEN_PAIR,
    TD_UNCLEAN,
    TD_SOURCE_MISSING,
    TD_BRAKE,
    TD_OK,
    TD_VERDICTS
};

struct td_verdict_row {
    const char *name;    /* "swapped" */
    const char *meaning; /* for --help, the man page and mails' subjects: "the disks are in each other's slots" */
    bool mails;          /* a refusal for this reason mails */
};
extern const struct td_verdict_row td_verdict_table[TD_VERDICTS];
const char *td_verdict_name(enum td_verdict verdict);
bool td_verdict_from(const char *name, enum td_verdict *out);

enum td_exit {
    TD_EXIT_OK = 0,
    TD_EXIT_REFUSED = 2,
    TD_EXIT_UNREADABLE = 3,
    TD_EXIT_MEMBER_LOST = 4,
    TD_EXIT_ROT = 5,
    TD_EXIT_INTERNAL = 6,
    TD_EXIT_BUSY = 11,
    TD_EXIT_USAGE = 64,
    TD_EXIT_CONFIG = 78,
    TD_EXIT_SIGNAL = 128 /* + signal number */
};
struct td_exit_row {
    int code;
    const char *meaning;
};
extern const struct td_exit_row td_exit_table[]; /* ends with meaning NULL */
/* When a run has several of them: 6 over 4 over 5 over 3 over 0. Which of two exit codes tells more. The others: a
 * signal over 78 over 64 over 6; 3 over 2 over 11 over 0. Of two that tell as much, a. */
int td_exit_worse(int a, int b);
/* Of what a command gave back: its exit code, or a negative errno, for which it is 11 when a dock is in use (EBUSY,
 * EALREADY) and 6 otherwise. */
int td_exit_of(int rc);

#endif
