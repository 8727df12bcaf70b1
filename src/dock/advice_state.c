/* The sentences about members in their places: what is wrong with what they hold, not with where they are. */
#include "words.h"

#include <inttypes.h>

void td_advise_layout(const struct td_words *w) {
    const struct td_pair *pair = w->judgement->pair;
    if (w->judgement->detail != NULL) {
        int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
        td_say(w, "Something is wrong with ");
        td_words_member_in(w, s, true, false);
        td_say(w, " in ");
        td_say_slot(w, s);
        td_say(w, ": ");
        td_quote(w, w->judgement->detail);
        td_say(w, ". Take both disks out and look into how they were enrolled.");
        return;
    }
    td_say_collection(w, pair);
    if (pair->layout == TD_LAYOUT_TWINS) {
        td_say(w, " is a pair of independent twins and ");
        td_say_dock(w);
        td_say(w,
               " mirrors, which would destroy one of them. Set the dock to show its two disks one by one, and give it "
               "`mode = individual` and both slots in the configuration.");
    } else {
        td_say(w, " is a mirrored pair, which only a mirroring dock may write, and ");
        td_say_dock(w);
        td_say(w, " shows its disks one by one. Set the dock to mirror (`mode = mirror`) to back up; as it is, the two "
                  "can be compared with `twindock check --full`.");
    }
}

void td_advise_stale(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    td_words_member_in(w, s, true, true);
    td_say(w, " in ");
    td_say_slot(w, s);
    td_buf_printf(
        w->out,
        " missed earlier backups: it has generation %" PRId64 ", the ledger %" PRId64
        ". Set the dock to show its two disks one by one (`mode = individual`) and compare them with `twindock "
        "check --full`.",
        td_words_slot(w, s)->card.generation, w->judgement->pair->generation);
}

void td_advise_ahead(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    const struct td_card *card = &td_words_slot(w, s)->card;
    td_say(w, w->judgement->slot < 0 ? "Both disks of " : "");
    if (w->judgement->slot < 0) {
        td_say_collection(w, w->judgement->pair);
        td_say(w, " were");
    } else {
        td_words_member_in(w, s, true, true);
        td_say(w, " in ");
        td_say_slot(w, s);
        td_say(w, " was");
    }
    td_say(w, " written by a run that this ledger does not know");
    if (card->host[0] != '\0') {
        td_say(w, ", on ");
        td_quote(w, card->host);
    }
    td_buf_printf(w->out,
                  " (generation %" PRId64 ", the ledger has %" PRId64
                  "). If this machine is to take over, use `twindock run --accept-ahead`; if not, take the disks out.",
                  card->generation, w->judgement->pair->intent);
}

void td_advise_unproven(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    const struct td_pair *pair = w->judgement->pair;
    int other = 1 - w->judgement->slots[s].member;
    if (pair->differs != 0) {
        td_say(w, "The two halves of ");
        td_say_collection(w, pair);
        td_say(w, " were found to differ, so writing to them could spoil the good one. Copy it over the other with the "
                  "dock's own copy function, set the dock to show its disks one by one (`mode = individual`) and "
                  "compare them with `twindock check --full`.");
        return;
    }
    td_words_member(w, pair, other, true, true);
    td_buf_printf(
        w->out, " has not been read for %" PRId64 " runs. %s with `twindock check --full`.",
        pair->generation - pair->members[other].generation,
        td_drive_word(&pair->members[other].identity, pair, other) == TD_DRIVE_SAME
            ? "Swap the two disks, or set the dock to show them one by one (`mode = individual`) and compare them"
            : "Set the dock to show its two disks one by one (`mode = individual`) and compare them");
}

static void say_unclean(const struct td_words *w, int s, const char *detail) {
    const struct td_slot *slot = td_words_slot(w, s);
    const char *node = slot->fs.device.node[0] != '\0' ? slot->fs.device.node : slot->disk.node;
    const char *feature = slot->super_read && !slot->super.errors ? td_ext4_refused(&slot->super) : NULL;
    td_say(w, "The filesystem of ");
    td_words_member_in(w, s, true, false);
    td_say(w, " in ");
    td_say_slot(w, s);
    if (feature != NULL) {
        td_say(w, " has a feature that twindock refuses: ");
        td_say(w, feature);
        td_say(w, ". Remove the feature with tune2fs, or put a new disk in the place of this one with ");
        td_words_replace(w, w->judgement->slots[s].pair, w->judgement->slots[s].member);
        td_say(w, ".");
        return;
    }
    td_say(w, " is not sound");
    if (detail != NULL) {
        td_say(w, ": ");
        td_quote(w, detail);
    }
    td_say(w, ". Repair it with `e2fsck -f ");
    td_quote(w, node);
    td_say(w, "`, then try again.");
}

/* A flaw that the run found out is told of the slot it names, or once. */
void td_advise_unclean(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    bool told = false;
    if (j->write_protected) {
        td_words_member_in(w, j->slot, true, true);
        td_say(w, " in ");
        td_say_slot(w, j->slot);
        td_say(w,
               " is write-protected, so nothing can be backed up to it. Take the protection off (a switch or jumper of "
               "the disk or the dock), then try again.");
        return;
    }
    for (int s = 0; s < TD_SLOTS; s++) {
        if (!td_words_is_member(w, s) || (j->slot >= 0 && j->slot != s))
            continue;
        const char *flaw = td_slot_flaw(td_words_slot(w, s));
        if (flaw == NULL && j->slot < 0)
            continue;
        if (told)
            td_say(w, " ");
        say_unclean(w, s, flaw != NULL ? flaw : j->detail);
        told = true;
    }
    if (told)
        return;
    td_quote(w, j->detail != NULL ? j->detail : "A filesystem is not sound");
    td_say(w, ". Repair it with `e2fsck -f`, then try again.");
}
