/* A run's findings, counted by what they are: by files, as far as possible, not by incidents. Pure. */
#ifndef TWINDOCK_REPORT_TALLY_H
#define TWINDOCK_REPORT_TALLY_H

#include "twindock/report/document.h"

#include <stdint.h>

enum td_sort {
    SORT_HELD,
    SORT_NO_COPY,
    SORT_REPAIRED,
    SORT_REFILLED,  /* had been missing */
    SORT_PUT_RIGHT, /* had been altered by somebody */
    SORT_ROTTEN,    /* from here on: on a member, and still so */
    SORT_NO_READ,
    SORT_GONE,
    SORT_ALTERED,
    SORT_UNREADABLE, /* in the source */
    SORT_UNWRITTEN,  /* on a member */
    SORT_NO_ROOM,
    SORT_HIDDEN, /* in the source, by what is mounted there */
    SORT_BARE,   /* all there but for extended attributes */
    SORT_NOTED,
    SORTS
};

struct td_tally {
    uint64_t count;   /* of files, or of versions of them */
    const char *path; /* of the first one that is listed */
    const char *detail;
    char member; /* when all listed ones are on one member; 0: on both, or on none */
};

/* Into tally[SORTS]. Incidents that the list has no more are taken to be like those that it has. */
void td_tally_count(const struct td_report *report, struct td_tally tally[SORTS]);

#endif
