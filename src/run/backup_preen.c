/* A journal left by a power cut: e2fsck replays it before the members are mounted for writing, or leaves no trace. */
#include "twindock/base/cleanup.h"
#include "twindock/platform/ext4.h"
#include "twindock/run/backup.h"

enum { PREEN_FAILED = 4 }; /* e2fsck(8): errors left uncorrected, and everything worse */

/* Have e2fsck put a member in order; words in `why` when that needs a person. */
static int preen_side(struct td_backup *backup, enum td_side side, struct td_ext4_undo *undo, struct td_buf *why,
                      struct td_error *err) {
    struct td_judgement *judgement = &backup->docking.judgement;
    struct td_error words = {0};
    int status = 0;
    int rc = td_ext4_preen(td_docking_slot(&backup->docking, side)->fs.device.node, undo, &status, &words);
    if (rc != 0)
        *err = words;
    if (rc == 0 && status >= PREEN_FAILED) {
        judgement->slot = judgement->slot_of[side - TD_A];
        td_buf_printf(why, "e2fsck -p could not put it in order (it ended with %d)", status);
    }
    return rc;
}

/* A refusal leaves every byte as it was: of the member that e2fsck gave up, and of the other. */
static int take_back(struct td_backup *backup, const struct td_ext4_undo undo[TD_SIDES], struct td_error *err) {
    int rc = 0;
    for (int side = TD_B; side >= TD_A; side--) {
        struct td_error error = {0};
        if (!undo[side].kept)
            continue;
        int taken = td_ext4_take_back(td_docking_slot(&backup->docking, (enum td_side)side)->fs.device.node,
                                      &undo[side], &error);
        if (taken != 0)
            *err = error;
        rc = taken != 0 ? taken : rc;
    }
    return rc;
}

/* Planning may have taken hours, and e2fsck is the first that writes. A disk that is not the judged one any more is
 * lost, and the other is finished. */
static bool is_still_there(struct td_backup *backup, enum td_side side) {
    struct td_error error = {0};
    if (td_docking_same_medium(&backup->docking, side, &error) == 0)
        return true;
    td_engine_lose(&backup->engine, side, error.text);
    return false;
}

int td_backup_preen(struct td_backup *backup, bool *dirty, struct td_buf *why, struct td_error *err) {
    struct td_ext4_undo undo[TD_SIDES] = {0};
    TD_AUTOBUF struct td_buf file_a = {0}, file_b = {0};
    int rc = 0;
    td_buf_printf(&file_a, "%s.undo-%s-A", backup->app->config->ledger, backup->pair->uuid);
    td_buf_printf(&file_b, "%s.undo-%s-B", backup->app->config->ledger, backup->pair->uuid);
    for (int side = TD_A; side <= TD_B && rc == 0 && why->len == 0; side++) {
        undo[side].file = td_buf_text(side == TD_A ? &file_a : &file_b);
        if (!td_docking_dirty(td_docking_slot(&backup->docking, (enum td_side)side)) ||
            !is_still_there(backup, (enum td_side)side))
            continue;
        *dirty = true;
        rc = preen_side(backup, (enum td_side)side, &undo[side], why, err);
    }
    if (rc != 0 || why->len > 0) {
        struct td_error error = {0};
        int taken = take_back(backup, undo, &error);
        if (taken != 0) { /* the files are the only way back */
            *err = error;
            return taken;
        }
    }
    for (int side = TD_A; side <= TD_B; side++)
        td_ext4_forget(&undo[side]);
    return rc;
}
