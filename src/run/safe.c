/* Which disks may be taken out: what is closed, and of which nothing else is in use either. */
#include "twindock/report/text.h"
#include "twindock/run/docking.h"

#include <errno.h>

#define FREE_WITHIN_MS 1000 /* somebody may just be having a look */

bool td_docking_in_use(const struct td_docking *docking, int slot) {
    const struct td_slot *seen = &docking->seen.slots[slot];
    return seen->present && td_blockdev_wait_free(seen->disk.node, FREE_WITHIN_MS, NULL) == -EBUSY;
}

void td_docking_say_in_use(int slot, struct td_buf *text) {
    td_text_next(text);
    td_buf_printf(text,
                  "Another partition of the disk in the %s slot is in use, mounted perhaps; unmount it before you take "
                  "that disk out.",
                  td_slot_names[slot]);
}

const char *td_docking_safe(const struct td_docking *docking, struct td_ledger *ledger, int64_t run,
                            struct td_buf *text) {
    TD_AUTOBUF struct td_buf disks = {0};
    bool hidden = td_docking_hides(docking, TD_A) || td_docking_hides(docking, TD_B), in_use[TD_SLOTS];
    int docked = 0, safe = 0, last = 0;
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        in_use[slot] = td_docking_in_use(docking, slot);
        docked += docking->seen.slots[slot].present;
        if (!docking->seen.slots[slot].present || in_use[slot])
            continue;
        safe++;
        last = slot;
    }
    if (safe == 2 || (safe == 1 && hidden))
        td_buf_puts(text, "Both disks are safe to remove.");
    else if (safe == 1 && docked == 1)
        td_buf_puts(text, "The disk is safe to remove.");
    else if (safe == 1)
        td_buf_printf(text, "The disk in the %s slot is safe to remove.", td_slot_names[last]);
    td_docking_list_disks(docking, &disks);
    if (ledger != NULL)
        td_ledger_run_safe(ledger, run, td_buf_text(text), td_buf_text(&disks), NULL);
    for (int slot = 0; slot < TD_SLOTS; slot++)
        if (in_use[slot])
            td_docking_say_in_use(slot, text);
    return td_buf_text(text);
}
