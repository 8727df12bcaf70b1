/* What is replaced or deleted, on its way into the history: what is known of it before, and where it lies after. */
#include "twindock/ledger/history.h"
#include "twindock/run/engine.h"

#include <errno.h>
#include <string.h>

/* The content that a member has under a path, where it is as the ledger last proved it. A copy that was found bad is
 * read as it goes into the history: it is kept as what it is, and not missed there as what it was. */
int td_engine_say_old(struct td_engine *engine, const struct td_work_op *work, struct td_op *op, struct td_error *err) {
    struct td_file file;
    struct td_entry have;
    if (engine->history == NULL || work->action == TD_ACT_MKDIR || work->action == TD_ACT_ATTRIBUTES)
        return 0;
    int rc = td_ledger_file(engine->ledger, engine->pair, work->path, &file, err);
    if (rc != 0 || !file.has_hash)
        return rc == -ENOENT ? 0 : rc;
    for (int side = TD_A; side <= TD_B; side++) {
        if ((work->members & TD_SIDE_BIT(side)) == 0 || (file.had & TD_SIDE_BIT(side)) == 0 ||
            (file.had & TD_HAD_BAD(side)) != 0)
            continue;
        rc = td_work_entry(engine->ledger, (enum td_side)side, work->path, &have, err);
        if (rc != 0 && rc != -ENOENT)
            return rc;
        op->old[side].known = rc == 0 && S_ISREG(have.mode) && have.size == file.entry.size &&
                              td_time_kept(&file.entry.mtime, &have.mtime) && !engine->repairing;
        memcpy(op->old[side].hash, file.hash, TD_HASH_LEN);
    }
    return 0;
}

/* What lies in history now, by what a member has reported. */
int td_engine_enter_items(struct td_engine *engine, const struct td_op_done *done, struct td_error *err) {
    int rc = 0;
    for (const struct td_kept_item *item = done->items; item != NULL && rc == 0; item = item->next) {
        struct td_version version = item->version;
        version.run = engine->run;
        rc = td_ledger_keep(engine->ledger, engine->pair, done->side, &version, err);
    }
    return rc;
}
