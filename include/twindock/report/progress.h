/* Progress: redrawn in place on a terminal; one line a minute otherwise, in the journal with structured fields. */
#ifndef TWINDOCK_REPORT_PROGRESS_H
#define TWINDOCK_REPORT_PROGRESS_H

#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stdint.h>

struct td_progress_side {
    bool active;
    uint64_t done, all; /* bytes */
};
struct td_progress_state {
    const char *phase;  /* "looking", "copying", "proving", ... */
    uint64_t done, all; /* bytes; all 0: unknown */
    struct td_progress_side side[TD_SIDES];
};

struct td_progress; /* remembers when and what it printed, for the rate */

/* Writes to descriptor `fd` (stderr); what it is, a terminal, the journal or something else, is found out here.
 * `quiet`: print nothing at all, except to the journal. */
struct td_progress *td_progress_new(int fd, bool quiet);
/* What it is about, for the journal's fields. */
void td_progress_name(struct td_progress *progress, const char *collection, const char *dock);
/* Send to this socket of the journal's (platform/journal.h) from now on; the descriptor belongs to `progress` then. */
void td_progress_to_journal(struct td_progress *progress, int socket);
/* Call as often as you like. `now` from td_boot_ns(). */
void td_progress_show(struct td_progress *progress, const struct td_progress_state *state, int64_t now);
/* Something that a person should know at once: a line of its own, escaped, a warning in the journal. */
void td_progress_say(struct td_progress *progress, const char *text);
/* Erase the line that is being redrawn, so that other text can be printed. */
void td_progress_clear(struct td_progress *progress);
void td_progress_free(struct td_progress *progress);

/* The text of one such line without control sequences: pure, for tests. rate in bytes a second, 0: unknown. At
 * most `width` columns. */
struct td_buf;
void td_progress_line(const struct td_progress_state *state, uint64_t rate, int64_t left_s, int width,
                      struct td_buf *out);

#endif
