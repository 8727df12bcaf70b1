/* The end of a run for the drives: stopped or switched off, and what may be said of taking them out. */
#include "twindock/base/escape.h"
#include "twindock/platform/drive_power.h"
#include "twindock/report/text.h"
#include "twindock/run/backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Closed, nothing else of it in use, and still in its slot. */
static bool can_be_stopped(const struct td_backup *backup, enum td_side side) {
    return td_docking_slot(&backup->docking, side) != NULL && !backup->stuck[side] && !backup->in_use[side] &&
           td_docking_is_there(&backup->docking, side);
}

static void stop_drive(struct td_backup *backup, enum td_side side) {
    struct td_error error = {0};
    int rc = td_drive_standby(&td_docking_slot(&backup->docking, side)->disk, &error);
    if (rc != 0 && rc != -EOPNOTSUPP) /* what has no motor needs no stopping */
        snprintf(backup->unstopped[side], sizeof backup->unstopped[side], "%.255s", error.text);
}

static void switch_off(struct td_backup *backup) {
    const struct td_blockdev *disks[2];
    struct td_error error = {0};
    size_t count = 0;
    for (int side = TD_A; side <= TD_B; side++)
        if (can_be_stopped(backup, (enum td_side)side))
            disks[count++] = &td_docking_slot(&backup->docking, (enum td_side)side)->disk;
    int rc = count > 0 ? td_drives_power_off(disks, count, &error) : -EOPNOTSUPP;
    backup->switched_off = rc == 0;
    for (int side = TD_A; side <= TD_B && rc != 0 && rc != -EOPNOTSUPP; side++)
        if (can_be_stopped(backup, (enum td_side)side))
            snprintf(backup->unstopped[side], sizeof backup->unstopped[side], "%.255s", error.text);
}

void td_backup_eject(struct td_backup *backup) {
    enum td_eject eject = backup->docking.dock->eject;
    for (int side = TD_A; side <= TD_B; side++)
        backup->in_use[side] = td_docking_slot(&backup->docking, (enum td_side)side) != NULL &&
                               td_docking_in_use(&backup->docking, backup->docking.judgement.slot_of[side - TD_A]);
    if (eject == TD_EJECT_NO)
        return;
    for (int side = TD_A; side <= TD_B; side++)
        if (can_be_stopped(backup, (enum td_side)side))
            stop_drive(backup, (enum td_side)side);
    /* A disk that could not be closed, or is in use, may sit behind the same bridge. */
    if (eject == TD_EJECT_POWER_OFF && !backup->stuck[TD_A] && !backup->stuck[TD_B] && !backup->in_use[TD_A] &&
        !backup->in_use[TD_B])
        switch_off(backup);
}

static void say_unstopped(const struct td_backup *backup, enum td_side side, struct td_buf *out) {
    td_text_next(out);
    td_buf_printf(out, "Member %c is closed, but not stopped: ", side == TD_A ? 'A' : 'B');
    td_escape_text(out, backup->unstopped[side]);
    td_buf_puts(out, ". Switch the dock off before you take it out.");
}

/* Of the disks that may be taken out. */
static void say_safe(struct td_backup *backup, struct td_buf *text) {
    int docked = 0, safe = 0;
    char letter = 0;
    for (int side = TD_A; side <= TD_B; side++) {
        bool here = td_docking_slot(&backup->docking, (enum td_side)side) != NULL;
        docked += here;
        if (!here || backup->unstopped[side][0] != '\0' ||
            (!backup->switched_off && !can_be_stopped(backup, (enum td_side)side)))
            continue;
        safe++;
        letter = side == TD_A ? 'A' : 'B';
    }
    bool hidden = td_docking_hides(&backup->docking, TD_A) || td_docking_hides(&backup->docking, TD_B);
    const char *off = backup->switched_off ? "switched off and " : "";
    if (safe == 2 || (safe == 1 && hidden))
        td_buf_printf(text, "Both disks are %ssafe to remove.", off);
    else if (safe == 1 && docked == 1)
        td_buf_printf(text, "The disk is %ssafe to remove.", off);
    else if (safe == 1)
        td_buf_printf(text, "Member %c is %ssafe to remove.", letter, off);
}

const char *td_backup_safe(struct td_backup *backup, struct td_buf *text) {
    TD_AUTOBUF struct td_buf disks = {0};
    if (!backup->closed || backup->dry_run)
        return NULL;
    if (backup->stuck[TD_A] || backup->stuck[TD_B]) {
        td_buf_puts(text, "Switch the dock off before you take a disk out: one of them did not come to an end.");
        return td_buf_text(text);
    }
    say_safe(backup, text);
    bool any_in_use = backup->in_use[TD_A] || backup->in_use[TD_B], keep = text->len > 0 || any_in_use;
    for (int side = TD_A; side <= TD_B; side++)
        if (backup->unstopped[side][0] != '\0')
            say_unstopped(backup, (enum td_side)side, text);
    td_docking_list_disks(&backup->docking, &disks);
    if (keep) /* --info sees for itself what is in use then */
        td_ledger_run_safe(backup->ledger, backup->run.id, td_buf_text(text), td_buf_text(&disks), NULL);
    for (int side = TD_A; side <= TD_B; side++)
        if (backup->in_use[side])
            td_docking_say_in_use(backup->docking.judgement.slot_of[side - TD_A], text);
    return text->len > 0 ? td_buf_text(text) : NULL;
}
