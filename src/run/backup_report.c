/* What is said of a backup at its end. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/report/text.h"
#include "twindock/run/backup.h"
#include "twindock/run/notify.h"

#include <inttypes.h>
#include <stdio.h>
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

/* "Member B (WD-WCC4N0) in the destination slot " */
static void name_member(const struct td_backup *backup, enum td_side side, struct td_buf *text) {
    const struct td_slot *slot = td_docking_slot(&backup->docking, side);
    td_buf_printf(text, "Member %c", side == TD_A ? 'A' : 'B');
    if (slot->identity.serial[0] != '\0') {
        td_buf_puts(text, " (");
        td_escape_text(text, slot->identity.serial);
        td_buf_puts(text, ")");
    }
    td_buf_printf(text, " in the %s slot ", td_slot_names[backup->docking.judgement.slot_of[side - TD_A]]);
}

/* What happened to a member that was lost. */
static const char *cause_of_loss(const struct td_backup *backup, enum td_side side) {
    if (!td_docking_is_there(&backup->docking, side))
        return "it was pulled out, or lost its power";
    return backup->engine.side[side].reason[0] != '\0' ? backup->engine.side[side].reason : "it does not answer";
}

/* ": it was pulled out, or lost its power", and what is to be done where that is known. */
static void say_cause(const struct td_backup *backup, enum td_side side, struct td_buf *text) {
    const char *what = backup->in_the_way[side];
    td_buf_printf(text, ": %s.", cause_of_loss(backup, side));
    if (what != NULL)
        td_buf_printf(text, " %s on member %c is %s: move it away, and dock the pair again.", what,
                      side == TD_A ? 'A' : 'B',
                      backup->is_no_directory[side] ? "no directory" : "a directory, and should be a file");
}

static const char *loss_word(const struct td_backup *backup, enum td_side side) {
    return backup->blocked[side] ? "left out" : backup->in_the_way[side] != NULL ? "given up" : "lost";
}

static void explain_one(struct td_backup *backup, enum td_side side, struct td_buf *text) {
    enum td_side other = side == TD_A ? TD_B : TD_A;
    struct lacking lacking = {.side = side};
    char size[TD_SIZE_MAX];
    td_text_next(text);
    name_member(backup, side, text);
    td_ledger_files(backup->ledger, backup->pair->id, count_lacking, &lacking, NULL);
    td_format_size(size, lacking.bytes);
    if (!backup->engine.full[side]) {
        td_buf_printf(text, "was %s", loss_word(backup, side));
        say_cause(backup, side, text);
    } else if (lacking.files > 0) {
        td_buf_printf(text, "is full: %" PRIu64 " of %" PRIu64 " files (%s) are not on it as they are now.",
                      lacking.files, lacking.all, size);
    } else {
        td_buf_puts(text, "is full.");
    }
    if (backup->proven[other] && backup->engine.counts.held == 0)
        td_buf_printf(text, " Member %c is complete.", other == TD_A ? 'A' : 'B');
}

bool td_backup_is_there(void *ctx, enum td_side side) {
    const struct td_backup *backup = ctx;
    return td_docking_is_there(&backup->docking, side);
}

void td_backup_tell_loss(void *ctx, enum td_side side) {
    struct td_backup *backup = ctx;
    enum td_side other = side == TD_A ? TD_B : TD_A;
    TD_AUTOBUF struct td_buf text = {0};
    td_backup_find_in_the_way(backup, side);
    name_member(backup, side, &text);
    if (backup->engine.full[side]) {
        td_buf_puts(&text, "is full.");
    } else {
        td_buf_printf(&text, "is %s", loss_word(backup, side));
        say_cause(backup, side, &text);
    }
    if (!backup->closed && backup->engine.side[other].alive && td_docking_is_there(&backup->docking, other))
        td_buf_printf(&text, " The run goes on with member %c; leave that one in.", other == TD_A ? 'A' : 'B');
    td_progress_say(backup->progress, text.data);
}

void td_backup_explain_loss(struct td_backup *backup) {
    TD_AUTOBUF struct td_buf text = {0};
    bool full = false, lost = false, blocked = false;
    for (int side = TD_A; side <= TD_B; side++) {
        if (backup->engine.side[side].alive || td_docking_slot(&backup->docking, (enum td_side)side) == NULL)
            continue;
        explain_one(backup, (enum td_side)side, &text);
        full |= backup->engine.full[side];
        lost |= !backup->engine.full[side] && !backup->blocked[side] && backup->in_the_way[side] == NULL;
        blocked |= backup->blocked[side];
    }
    if (blocked)
        td_buf_puts(&text, " Put the directory back, or move what stands in its place out of the way, and run again.");
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

bool td_backup_blame_pulled(struct td_backup *backup) {
    struct td_run *run = &backup->run;
    bool pulled = false;
    for (int side = TD_A; side <= TD_B; side++) {
        bool here = td_docking_is_there(&backup->docking, (enum td_side)side);
        bool gone = td_docking_slot(&backup->docking, (enum td_side)side) != NULL && !here;
        backup->engine.side[side].alive = here;
        if (gone)
            snprintf(run->state[side], sizeof run->state[side], "lost");
        pulled = pulled || gone;
    }
    if (!pulled || backup->closed)
        return false;
    run->result = TD_RESULT_FAILED;
    run->exit = TD_EXIT_MEMBER_LOST;
    td_backup_explain_loss(backup);
    return true;
}

void td_backup_out_of_time(struct td_backup *backup) {
    TD_AUTOBUF struct td_buf text = {0};
    uint64_t left = backup->engine.left_to_copy;
    td_buf_printf(&text, "finish_by came before all was copied: %" PRIu64 " file%s left. The next run goes on with %s.",
                  left, left == 1 ? " is" : "s are", left == 1 ? "it" : "them");
    td_backup_reason(&backup->run, text.data);
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
    TD_AUTOBUF struct td_buf safe = {0};
    if (run->exit != TD_EXIT_OK && run->reason == NULL)
        run->reason = td_notify_sentence(backup->ledger, run);
    if (backup->dry_run)
        return report_plan(backup, out, err);
    int rc =
        td_notify_end(backup->app, backup->ledger, run, &backup->docking.seen, backup->request->device != NULL, err);
    if (rc != 0)
        return rc;
    return td_notify_print(backup->app, backup->ledger, run, td_backup_safe(backup, &safe), out, err);
}
