/* `check --full`: read what is docked in full. The halves of a mirrored pair are compared with one another block by
 * block; of twins every file is read and compared with the ledger, as `verify` does. Writes to no disk. */
#ifndef TWINDOCK_RUN_CHECK_FULL_H
#define TWINDOCK_RUN_CHECK_FULL_H

#include "twindock/ledger/ledger.h"
#include "twindock/report/document.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"

#include <stdbool.h>

/* Compare the mirrored pair in a dock that has been looked at, record it, and put what there is to say into `check`.
 * `finished` is for the mail (its reason is the caller's to free). An exit code or a negative errno. */
int td_check_halves(const struct td_app *app, struct td_ledger *ledger, struct td_docking *docking, bool every_block,
                    struct td_check *check, struct td_run *finished, struct td_error *err);

/* Can these two disks be compared: the halves of a mirrored pair, both of them, seen one by one? */
bool td_check_holds_halves(const struct td_docking *docking);

#endif
