#include "words.h"

#include "twindock/base/escape.h"

#include <inttypes.h>
#include <string.h>

static void say(const struct td_words *w, const char *text) {
    td_buf_puts(w->out, text);
}

static void quote(const struct td_words *w, const char *hostile) {
    td_escape_text(w->out, hostile);
}

static void collection(const struct td_words *w, const struct td_pair *pair) {
    quote(w, pair->collection);
}

static void dock(const struct td_words *w) {
    say(w, "dock ");
    quote(w, w->seen->dock);
}

static const struct td_slot *slot_of(const struct td_words *w, int s) {
    return &w->seen->slots[s];
}

static bool is_member(const struct td_words *w, int s) {
    return w->judgement->slots[s].match == TD_MATCH_MEMBER;
}

/* "the source slot" */
static void the_slot(const struct td_words *w, int s) {
    td_buf_printf(w->out, "the %s slot", td_slot_names[s]);
}

/* The member that a slot needs when the other slot keeps its disk; -1 when nothing tells. */
static int needed_in(const struct td_words *w, int s, const struct td_pair **pair) {
    const struct td_match_result *other = &w->judgement->slots[1 - s];
    if (other->match == TD_MATCH_MEMBER) {
        *pair = other->pair;
        return 1 - other->member;
    }
    *pair = w->judgement->slots[s].pair;
    return *pair != NULL ? s : -1;
}

/* Member A's place is the source slot, unless the configuration leaves it open. */
static bool misplaced(const struct td_words *w, int s) {
    return !w->judgement->slots_any && is_member(w, s) && w->judgement->slots[s].member != s;
}

/* Nothing here is of any pair: perhaps there is none yet. */
static void say_how_to_begin(const struct td_words *w) {
    say(w,
        " Two disks that hold a backup already are taken up with `twindock enroll COLLECTION`, two new ones become a "
        "pair with `twindock format COLLECTION`.");
}

static const char take_it_out[] = " Take it out";

/* "Take it out and put in member B of M (...).", and what else must be moved so that this ends well. */
static void exchange(const struct td_words *w, int s, const char *begin) {
    const struct td_pair *pair;
    int member = needed_in(w, s, &pair);
    say(w, begin);
    if (member < 0) {
        say(w, " and put in the two disks of one pair.");
        say_how_to_begin(w);
        return;
    }
    if (!misplaced(w, 1 - s)) {
        say(w, " and put in ");
        td_words_member(w, pair, member, true, false);
        say(w, ".");
        return;
    }
    say(w, ", move ");
    td_words_member_in(w, 1 - s, true, false);
    say(w, " from ");
    the_slot(w, 1 - s);
    say(w, " to ");
    the_slot(w, s);
    say(w, ", and put ");
    td_words_member(w, pair, member, false, false);
    say(w, " into ");
    the_slot(w, 1 - s);
    say(w, ".");
}

static void advise_empty(const struct td_words *w) {
    say(w, "No disk is in ");
    dock(w);
    say(w, ". Put in the two disks of one pair.");
}

/* The size at enrolment that a disk is measured against. */
static uint64_t enrolled_size(const struct td_words *w, int s) {
    const struct td_match_result *match = &w->judgement->slots[s];
    if (match->match == TD_MATCH_MEMBER)
        return match->pair->members[match->member].size;
    return match->pair->members[match->pair->members[0].size != 0 ? 0 : 1].size;
}

static void advise_merged_slots(const struct td_words *w) {
    say(w, "Both slots of ");
    dock(w);
    say(w, " lead to one disk, ");
    quote(w, slot_of(w, 0)->disk.node);
    td_words_disk(w, 0);
    say(w, ". Set the dock to show its two disks one by one, or correct its two slots in the configuration.");
}

static void advise_wrong_size(const struct td_words *w, int s) {
    bool alone = !slot_of(w, 1 - s)->present;
    const struct td_pair *pair = w->judgement->slots[s].pair;
    uint64_t size = slot_of(w, s)->disk.size;
    if (alone) {
        say(w, "The only disk in ");
        dock(w);
    } else {
        say(w, "The disk in ");
        the_slot(w, s);
    }
    if (is_member(w, s)) {
        say(w, " calls itself ");
        td_words_member_in(w, s, true, false);
    } else {
        say(w, " has the UUID of ");
        collection(w, pair);
    }
    say(w, " but is of the wrong size: ");
    td_words_sizes(w, size, " instead of ", enrolled_size(w, s));
    say(w, alone && size > enrolled_size(w, s)
               ? ". Set the dock to show its two disks one by one (not combined); if it does, this disk is a copy: "
                 "take it out."
               : ". It is a copy, or the dock shows it wrongly: take it out.");
}

static void advise_merged(const struct td_words *w) {
    if (w->seen->mode == TD_MODE_INDIVIDUAL && w->seen->one_device)
        advise_merged_slots(w);
    else
        advise_wrong_size(w, w->judgement->slot < 0 ? 0 : w->judgement->slot);
}

/* The end of a sentence that has two disks put in. */
static void say_places(const struct td_words *w) {
    say(w, w->judgement->slots_any ? "." : ", A in the source slot and B in the destination slot.");
}

static void advise_duplicate(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    if (is_member(w, 0)) {
        say(w, "Both disks say that they are ");
        td_words_member_in(w, 0, true, false);
        say(w, ". One of them is a copy: take it out and put in ");
        td_words_member(w, j->pair, 1 - j->slots[0].member, false, false);
        say_places(w);
        return;
    }
    say(w, "Both disks have the UUID of ");
    collection(w, j->pair);
    say(w, " and report the same serial, and neither has a card that tells which it is. Take both out and put in ");
    td_words_member(w, j->pair, 0, false, false);
    say(w, " and ");
    td_words_member(w, j->pair, 1, false, false);
    say_places(w);
}

/* The drive of a member on which the pair's filesystem can no longer be found: worth more than "foreign". */
static bool say_if_drive_is_known(const struct td_words *w, int s) {
    const struct td_match_result *other = &w->judgement->slots[1 - s];
    if (other->pair == NULL || w->judgement->alike)
        return false;
    for (int i = 0; i < 2; i++) {
        if (td_drive_word(&slot_of(w, s)->identity, other->pair, i) != TD_DRIVE_SAME)
            continue;
        say(w, " Its drive is that of ");
        td_words_member(w, other->pair, i, true, false);
        say(w, ", whose filesystem is gone or damaged. Take it out and find out why.");
        return true;
    }
    return false;
}

/* True: with what to do about it. */
static bool say_foreign(const struct td_words *w, int s) {
    const struct td_slot *slot = slot_of(w, s);
    say(w, "The disk in ");
    the_slot(w, s);
    say(w, " belongs to no enrolled pair: it is ");
    td_describe_slot(w->seen, w->judgement, s, w->out);
    if (slot->problem[0] != '\0') {
        say(w, ": ");
        quote(w, slot->problem);
    }
    say(w, ".");
    return say_if_drive_is_known(w, s);
}

/* Nothing whatever is on it. Only such disks may be spoken of as if they could be formatted. */
static bool is_blank(const struct td_words *w, int s) {
    const struct td_slot *slot = slot_of(w, s);
    return slot->present && slot->problem[0] == '\0' && slot->fs.type[0] == '\0' && !slot->fs.ambivalent &&
           !slot->fs.partition_table;
}

/* Two ext4 filesystems of one UUID: made as a pair, and perhaps the last copies that there are. */
static bool are_twins(const struct td_words *w) {
    const struct td_filesystem *a = &slot_of(w, TD_SLOT_SOURCE)->fs, *b = &slot_of(w, TD_SLOT_DESTINATION)->fs;
    return a->uuid[0] != '\0' && strcmp(a->uuid, b->uuid) == 0 && strcmp(a->type, "ext4") == 0 &&
           strcmp(b->type, "ext4") == 0;
}

static void advise_twins(const struct td_words *w) {
    say(w, "These two disks are a pair that this machine's ledger does not know: ");
    td_describe_slot(w->seen, w->judgement, TD_SLOT_SOURCE, w->out);
    say(w, " in the source slot and ");
    td_describe_slot(w->seen, w->judgement, TD_SLOT_DESTINATION, w->out);
    say(w, " in the destination slot, both with the UUID ");
    quote(w, slot_of(w, TD_SLOT_SOURCE)->fs.uuid);
    say(w, ". If they are the backup of a collection, take them up with `twindock enroll COLLECTION`; do not format "
           "them.");
}

static void advise_foreign(const struct td_words *w) {
    int s = w->judgement->slot;
    if (s >= 0) {
        if (!say_foreign(w, s))
            exchange(w, s, take_it_out);
        return;
    }
    if (are_twins(w)) {
        advise_twins(w);
        return;
    }
    say_foreign(w, TD_SLOT_SOURCE);
    say(w, " ");
    say_foreign(w, TD_SLOT_DESTINATION);
    if (is_blank(w, TD_SLOT_SOURCE) && is_blank(w, TD_SLOT_DESTINATION)) {
        say(w, " Put in the two disks of one pair, or make these two a pair with `twindock format COLLECTION`.");
        return;
    }
    say(w, " Put in the two disks of one pair.");
    say_how_to_begin(w);
}

/* Its card could not be read, which says nothing of whose disk it is. */
static bool is_damaged(const struct td_words *w, int s) {
    return slot_of(w, s)->card_state == TD_CARD_BAD;
}

static void say_unknown(const struct td_words *w, int s) {
    const struct td_slot *slot = slot_of(w, s);
    const struct td_match_result *match = &w->judgement->slots[s];
    say(w, "The disk in ");
    the_slot(w, s);
    td_words_disk(w, s);
    say(w, " has the UUID of ");
    collection(w, match->pair);
    say(w, is_damaged(w, s) ? " but cannot be recognised as one of its members: " : " but is neither of its members: ");
    say(w, match->why);
    if (slot->card_state != TD_CARD_READ && slot->problem[0] != '\0') {
        say(w, " (");
        quote(w, slot->problem);
        say(w, ")");
    }
    say(w, ".");
}

static void say_busy(const struct td_words *w, int s) {
    say(w, "The disk in ");
    the_slot(w, s);
    td_words_disk(w, s);
    say(w, " has the UUID of ");
    collection(w, w->judgement->slots[s].pair);
    say(w, ", but ");
    quote(w, slot_of(w, s)->fs.device.node);
    say(w, " is in use, mounted perhaps, so its card cannot be read. Unmount it and try again.");
}

static void advise_unknown(const struct td_words *w) {
    for (int s = 0; s < TD_SLOTS; s++) {
        if (w->judgement->slots[s].match != TD_MATCH_PAIR)
            continue;
        if (s == TD_SLOT_DESTINATION && w->judgement->slot < 0)
            say(w, " ");
        if (td_words_busy(w, s)) {
            say_busy(w, s);
            continue;
        }
        say_unknown(w, s);
        exchange(w, s,
                 is_damaged(w, s) ? " If it is one, it is damaged and wants mending; if not, take it out"
                                  : take_it_out);
    }
}

static void advise_mixed(const struct td_words *w) {
    say(w, "These are disks of two pairs: ");
    td_words_member_in(w, TD_SLOT_SOURCE, true, false);
    say(w, " is in the source slot and ");
    td_words_member_in(w, TD_SLOT_DESTINATION, true, false);
    say(w, " in the destination slot. Take one of them out and put in the other disk of the one that stays");
    say_places(w);
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_match_result *match = &w->judgement->slots[s];
        say(w, s == TD_SLOT_SOURCE ? " For " : ", for ");
        collection(w, match->pair);
        say(w, s == TD_SLOT_SOURCE ? " that is " : " ");
        td_words_member(w, match->pair, 1 - match->member, false, false);
    }
    say(w, ".");
}

static void advise_missing(const struct td_words *w) {
    int s = w->judgement->slot;
    int member = w->judgement->slots[s].member;
    bool move = misplaced(w, s);
    td_words_member_in(w, s, true, true);
    say(w, " is alone, in ");
    the_slot(w, s);
    say(w, ". ");
    if (move) {
        say(w, "Move it to ");
        the_slot(w, 1 - s);
        say(w, " and put ");
    } else {
        say(w, "Put ");
    }
    td_words_member(w, w->judgement->pair, 1 - member, false, false);
    say(w, " into ");
    the_slot(w, move ? s : 1 - s);
    say(w, ".");
}

static void advise_swapped(const struct td_words *w) {
    int s = w->judgement->slot;
    if (s >= 0) {
        td_words_member_in(w, s, true, true);
        say(w, " is in ");
        the_slot(w, s);
        say(w, ". Move it to ");
        the_slot(w, 1 - s);
        say(w, ".");
        return;
    }
    td_words_member_in(w, TD_SLOT_SOURCE, true, true);
    say(w, " is in the source slot and ");
    td_words_member_in(w, TD_SLOT_DESTINATION, false, false);
    say(w, " in the destination slot. Swap the two disks.");
}

static void advise_layout(const struct td_words *w) {
    const struct td_pair *pair = w->judgement->pair;
    if (w->judgement->detail != NULL) {
        int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
        say(w, "Something is wrong with ");
        td_words_member_in(w, s, true, false);
        say(w, " in ");
        the_slot(w, s);
        say(w, ": ");
        quote(w, w->judgement->detail);
        say(w, ". Take both disks out and look into how they were enrolled.");
        return;
    }
    collection(w, pair);
    if (pair->layout == TD_LAYOUT_TWINS) {
        say(w, " is a pair of independent twins and ");
        dock(w);
        say(w, " mirrors, which would destroy one of them. Set the dock to show its two disks one by one.");
    } else {
        say(w, " is a mirrored pair, which only a mirroring dock may write, and ");
        dock(w);
        say(w, " shows its disks one by one. Set the dock to mirror to back up; as it is, the two can be compared with "
               "`twindock check --full`.");
    }
}

static void advise_stale(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    td_words_member_in(w, s, true, true);
    say(w, " in ");
    the_slot(w, s);
    td_buf_printf(w->out,
                  " missed earlier backups: it has generation %" PRId64 ", the ledger %" PRId64
                  ". Set the dock to show its two disks one by one and compare them with `twindock check --full`.",
                  slot_of(w, s)->card.generation, w->judgement->pair->generation);
}

static void advise_ahead(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    const struct td_card *card = &slot_of(w, s)->card;
    say(w, w->judgement->slot < 0 ? "Both disks of " : "");
    if (w->judgement->slot < 0) {
        collection(w, w->judgement->pair);
        say(w, " were");
    } else {
        td_words_member_in(w, s, true, true);
        say(w, " in ");
        the_slot(w, s);
        say(w, " was");
    }
    say(w, " written by a run that this ledger does not know");
    if (card->host[0] != '\0') {
        say(w, ", on ");
        quote(w, card->host);
    }
    td_buf_printf(w->out,
                  " (generation %" PRId64 ", the ledger has %" PRId64
                  "). If this machine is to take over, use `twindock run --accept-ahead`; if not, take the disks out.",
                  card->generation, w->judgement->pair->intent);
}

static void advise_unproven(const struct td_words *w) {
    int s = w->judgement->slot < 0 ? 0 : w->judgement->slot;
    const struct td_pair *pair = w->judgement->pair;
    int other = 1 - w->judgement->slots[s].member;
    td_words_member(w, pair, other, true, true);
    td_buf_printf(w->out,
                  " has not been read for %" PRId64
                  " runs. Swap the two disks, or set the dock to show them one by one and compare them with `twindock "
                  "check --full`.",
                  pair->generation - pair->members[other].generation);
}

static void say_unclean(const struct td_words *w, int s, const char *detail) {
    const struct td_slot *slot = slot_of(w, s);
    const char *node = slot->fs.device.node[0] != '\0' ? slot->fs.device.node : slot->disk.node;
    const char *feature = slot->super_read && !slot->super.errors ? td_ext4_refused(&slot->super) : NULL;
    say(w, "The filesystem of ");
    td_words_member_in(w, s, true, false);
    say(w, " in ");
    the_slot(w, s);
    if (feature != NULL) {
        say(w, " has a feature that twindock refuses: ");
        say(w, feature);
        say(w, ". Do not use this disk until it has been made anew without it.");
        return;
    }
    say(w, " is not sound");
    if (detail != NULL) {
        say(w, ": ");
        quote(w, detail);
    }
    say(w, ". Repair it with `e2fsck -f ");
    quote(w, node);
    say(w, "`, then dock it again.");
}

/* A flaw that the run found out is told of the slot it names, or once. */
static void advise_unclean(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    bool told = false;
    for (int s = 0; s < TD_SLOTS; s++) {
        if (!is_member(w, s) || (j->slot >= 0 && j->slot != s))
            continue;
        const char *flaw = td_slot_flaw(slot_of(w, s));
        if (flaw == NULL && j->slot < 0)
            continue;
        if (told)
            say(w, " ");
        say_unclean(w, s, flaw != NULL ? flaw : j->detail);
        told = true;
    }
    if (told)
        return;
    quote(w, j->detail != NULL ? j->detail : "A filesystem is not sound");
    say(w, ". Repair it with `e2fsck -f`, then dock it again.");
}

/* The run found this one and brings its own sentence. */
static void advise_own_words(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    if (j->detail != NULL)
        say(w, j->detail);
    else
        td_buf_printf(w->out, "Nothing was written: %s.", td_verdict_table[j->verdict].meaning);
}

static void advise_ok(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    int s = j->slot_of[0] >= 0 ? j->slot_of[0] : j->slot_of[1];
    td_words_member_in(w, s, true, true);
    say(w, " is in ");
    the_slot(w, s);
    if (is_member(w, 1 - s)) {
        say(w, " and ");
        td_words_member_in(w, 1 - s, false, false);
        say(w, " in ");
        the_slot(w, 1 - s);
        say(w, ".");
    } else {
        say(w, w->seen->mode == TD_MODE_MIRROR ? " of a mirroring dock." : ", alone, as the configuration allows.");
    }
}

static void (*const sentences[TD_VERDICTS])(const struct td_words *w) = {
    [TD_EMPTY] = advise_empty,
    [TD_DOCK_MERGED] = advise_merged,
    [TD_DUPLICATE_IDENTITY] = advise_duplicate,
    [TD_FOREIGN_DISK] = advise_foreign,
    [TD_UNKNOWN_MEMBER] = advise_unknown,
    [TD_MIXED_PAIRS] = advise_mixed,
    [TD_MISSING_MEMBER] = advise_missing,
    [TD_SWAPPED] = advise_swapped,
    [TD_WRONG_LAYOUT] = advise_layout,
    [TD_STALE_SOURCE] = advise_stale,
    [TD_AHEAD_OF_LEDGER] = advise_ahead,
    [TD_UNPROVEN_PAIR] = advise_unproven,
    [TD_UNCLEAN] = advise_unclean,
    [TD_SOURCE_MISSING] = advise_own_words,
    [TD_BRAKE] = advise_own_words,
    [TD_OK] = advise_ok,
};

void td_advise(const struct td_observation *seen, const struct td_judgement *judgement, struct td_buf *out) {
    const struct td_words w = {out, seen, judgement};
    sentences[judgement->verdict](&w);
}
