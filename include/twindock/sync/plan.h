/* What must be done to make the members equal to the source: pure functions over rows. */
#ifndef TWINDOCK_SYNC_PLAN_H
#define TWINDOCK_SYNC_PLAN_H

#include "twindock/base/buf.h"
#include "twindock/model/row.h"

#include <stdbool.h>
#include <stddef.h>

struct td_plan_step {
    enum td_action action;
    enum td_why why;
};
struct td_plan {
    struct td_plan_step member[TD_SIDES]; /* index TD_A, TD_B */
};

/* `members`: set of TD_SIDE_BITs of the members that are docked; the others get TD_ACT_NONE. */
void td_plan_row(const struct td_row *row, unsigned members, struct td_plan *out);

/* The brake. Counted over the plan by the run; a moved file is neither deleted nor changed. */
struct td_brake {
    uint64_t base_files, base_bytes; /* the ledger's; where it is empty, the fuller member's */
    uint64_t deleted_files, deleted_bytes;
    uint64_t changed_files, changed_bytes; /* content replaced; bytes of what is replaced */
    uint64_t emptied_files;                /* had content, have none now */
    uint64_t scrambled_files;              /* have a further ending, and content that cannot be compressed */
};
/* Could nothing compress these bytes? At least a page of them, and every value about as often as the others. */
bool td_brake_scrambled(const unsigned char *data, size_t len);
/* True: stop. `why` gets the sentence with the counts. max_* in hundredths of a percent, 10000 turns one off. */
bool td_brake_check(const struct td_brake *brake, int max_delete, int max_change, struct td_buf *why);

#endif
