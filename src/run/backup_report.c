/* What is said of a backup at its end. */
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/run/backup.h"
#include "twindock/run/notify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void td_backup_reason(struct td_run *run, const char *text) {
    free(run->reason);
    run->reason = strdup(text);
}

/* What a member that was lost has not got, by the ledger: the same rule as its manifest. */
struct lacking {
    enum td_side side;
    uint64_t files, bytes, all;
};

static int count_lacking(void *ctx, const struct td_file *file) {
    struct lacking *lacking = ctx;
    if (!file->has_hash)
        return 0;
    lacking->all++;
    if (file->proven_at[lacking->side] != 0)
        return 0;
    lacking->files++;
    lacking->bytes += file->entry.size;
    return 0;
}

static void explain_one(struct td_backup *backup, enum td_side side, struct td_buf *text) {
    const struct td_slot *slot = td_docking_slot(&backup->docking, side);
    enum td_side other = side == TD_A ? TD_B : TD_A;
    struct lacking lacking = {.side = side};
    char size[TD_SIZE_MAX];
    td_buf_printf(text, "%sMember %c", text->len > 0 ? " " : "", side == TD_A ? 'A' : 'B');
    if (slot->identity.serial[0] != '\0') {
        td_buf_puts(text, " (");
        td_escape_text(text, slot->identity.serial);
        td_buf_puts(text, ")");
    }
    td_buf_printf(text, " in the %s slot ", td_slot_names[backup->docking.judgement.slot_of[side - TD_A]]);
    td_ledger_files(backup->ledger, backup->pair->id, count_lacking, &lacking, NULL);
    td_format_size(size, lacking.bytes);
    if (!backup->engine.full[side])
        td_buf_printf(text, "was lost: %s.", backup->engine.side[side].reason);
    else if (lacking.files > 0)
        td_buf_printf(text, "is full: %" PRIu64 " of %" PRIu64 " files (%s) are not on it as they are now.",
                      lacking.files, lacking.all, size);
    else
        td_buf_puts(text, "is full.");
    if (backup->proven[other] && backup->engine.counts.held == 0)
        td_buf_printf(text, " Member %c is complete.", other == TD_A ? 'A' : 'B');
}

void td_backup_explain_loss(struct td_backup *backup) {
    TD_AUTOBUF struct td_buf text = {0};
    bool full = false, lost = false;
    for (int side = TD_A; side <= TD_B; side++) {
        if (backup->engine.side[side].alive || td_docking_slot(&backup->docking, (enum td_side)side) == NULL)
            continue;
        explain_one(backup, (enum td_side)side, &text);
        full |= backup->engine.full[side];
        lost |= !backup->engine.full[side];
    }
    if (lost)
        td_buf_puts(&text,
                    " Look at the disk, its cable and its power, and dock the pair again: the next run brings it "
                    "up to date.");
    if (full)
        td_buf_puts(&text, " Make room in the collection, or set up larger disks as a collection of another name, and "
                           "run again.");
    if (text.len > 0)
        td_backup_reason(&backup->run, text.data);
}

void td_backup_out_of_time(struct td_backup *backup) {
    TD_AUTOBUF struct td_buf text = {0};
    uint64_t left = backup->engine.left_to_copy;
    td_buf_printf(&text, "finish_by came before all was copied: %" PRIu64 " file%s left. The next run goes on with %s.",
                  left, left == 1 ? " is" : "s are", left == 1 ? "it" : "them");
    td_backup_reason(&backup->run, text.data);
}

static const char *safe_sentence(const struct td_backup *backup) {
    bool a = td_docking_slot(&backup->docking, TD_A) != NULL, b = td_docking_slot(&backup->docking, TD_B) != NULL;
    if (backup->run.result == TD_RESULT_REFUSED || backup->dry_run)
        return NULL;
    if (backup->stuck[TD_A] || backup->stuck[TD_B])
        return "Switch the dock off before you take a disk out: one of them did not come to an end.";
    a = a || td_docking_hides(&backup->docking, TD_A);
    b = b || td_docking_hides(&backup->docking, TD_B);
    return a && b ? "Both disks are safe to remove." : "The disk is safe to remove.";
}

/* --dry-run: the plan, and after it what stands in its way. */
static int report_plan(struct td_backup *backup, struct td_buf *out, struct td_error *err) {
    struct td_run *run = &backup->run;
    bool planned = backup->plan.len > 0;
    td_buf_add(out, td_buf_text(&backup->plan), backup->plan.len);
    if (planned && (backup->app->json || run->exit == TD_EXIT_OK))
        return 0;
    return td_notify_print(backup->app, backup->ledger, run, NULL, out, err);
}

int td_backup_report(struct td_backup *backup, struct td_buf *out, struct td_error *err) {
    struct td_run *run = &backup->run;
    if (run->exit != TD_EXIT_OK && run->reason == NULL)
        run->reason = td_notify_sentence(backup->ledger, run);
    if (backup->dry_run)
        return report_plan(backup, out, err);
    if (run->id != 0) {
        int rc = td_ledger_run_end(backup->ledger, run, err);
        if (rc != 0)
            return rc;
    }
    return td_notify_print(backup->app, backup->ledger, run, safe_sentence(backup), out, err);
}
