/* `enroll` for a pair that is enrolled already: where the ledger has nothing better of its drives than a bridge's word,
 * and now they speak for themselves, their word is entered. */
#include "twindock/base/escape.h"
#include "twindock/run/enrolling.h"

static bool is_own_word(const struct td_identity *identity) {
    return td_drive_speaks(identity) && identity->source != TD_IDENTITY_BRIDGE;
}

static const struct td_member *member_in(const struct td_docking *docking, int slot) {
    const struct td_match_result *match = &docking->judgement.slots[slot];
    return &match->pair->members[match->member];
}

/* A serial that both slots report is nobody's. */
static bool is_better(const struct td_docking *docking, int slot) {
    const struct td_identity *told = &docking->seen.slots[slot].identity;
    const struct td_identity *known = &member_in(docking, slot)->identity;
    if (docking->judgement.alike || is_own_word(known))
        return false;
    return is_own_word(told) || (td_drive_speaks(told) && !td_drive_speaks(known));
}

static int enter(const struct td_docking *docking, struct td_ledger *ledger, struct td_error *err) {
    int rc = td_enrolling_record(ledger, docking->judgement.pair, "enroll", docking->dock->name, 0, err);
    for (int slot = 0; slot < TD_SLOTS && rc == 0; slot++)
        if (is_better(docking, slot))
            rc = td_ledger_learn_drive(ledger, member_in(docking, slot)->id, &docking->seen.slots[slot].identity,
                                       docking->seen.slots[slot].disk.size, err);
    return rc;
}

int td_enrolling_learn(const struct td_docking *docking, struct td_ledger *ledger, struct td_buf *out,
                       struct td_error *err) {
    if (!is_better(docking, TD_SLOT_SOURCE) && !is_better(docking, TD_SLOT_DESTINATION)) {
        td_buf_puts(out, "Nothing to do: these two disks are enrolled already.\n");
        return 0;
    }
    int rc = td_ledger_begin(ledger, err);
    if (rc < 0)
        return rc;
    rc = enter(docking, ledger, err);
    if (rc == 0)
        rc = td_ledger_commit(ledger, err);
    else
        td_ledger_rollback(ledger);
    if (rc < 0)
        return rc;
    td_buf_puts(out, "These two disks are enrolled already. What their drives are called is known now:\n");
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        td_buf_printf(out, "  member %c: the disk in the %s slot, serial ", member_in(docking, slot)->letter,
                      td_slot_names[slot]);
        td_escape_text(out, docking->seen.slots[slot].identity.serial);
        td_buf_putc(out, '\n');
    }
    return 0;
}
