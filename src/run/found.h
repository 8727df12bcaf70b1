/* The incidents of a run, in memory, for a text about them. */
#ifndef TWINDOCK_RUN_FOUND_H
#define TWINDOCK_RUN_FOUND_H

#include "twindock/base/error.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/outcome.h"

#include <stddef.h>
#include <stdint.h>

#define TD_FOUND_MOST 1000 /* kept at most; JSON lists as many */

struct td_found {
    struct td_incident *list;
    size_t count;
};

/* Run 0 has none. Free in any case. */
int td_found_load(struct td_ledger *ledger, int64_t run, struct td_found *out, struct td_error *err);
void td_found_free(struct td_found *found);

#endif
