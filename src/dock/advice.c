#include "words.h"

#include <string.h>

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
    return !w->judgement->slots_any && td_words_is_member(w, s) && w->judgement->slots[s].member != s;
}

/* Nothing here is of any pair: perhaps there is none yet. */
static void say_how_to_begin(const struct td_words *w) {
    td_say(
        w,
        " Two disks that hold a backup already are taken up with `twindock enroll COLLECTION`, two new ones become a "
        "pair with `twindock format COLLECTION`.");
}

static const char take_it_out[] = " Take it out";

/* "Take it out and put in member B of M (...).", and what else must be moved so that this ends well. */
static void exchange(const struct td_words *w, int s, const char *begin) {
    const struct td_pair *pair;
    int member = needed_in(w, s, &pair);
    td_say(w, begin);
    if (member < 0) {
        td_say(w, " and put in the two disks of one pair.");
        say_how_to_begin(w);
        return;
    }
    if (td_words_retired(pair, member)) {
        td_say(w, " and put in a new disk: ");
        td_words_replace(w, pair, member);
        td_buf_printf(w->out, " makes it member %c, the old one being retired.", "AB"[member]);
        return;
    }
    if (!misplaced(w, 1 - s)) {
        td_say(w, " and put in ");
        td_words_member(w, pair, member, true, false);
        td_say(w, ".");
        return;
    }
    td_say(w, ", move ");
    td_words_member_in(w, 1 - s, true, false);
    td_say(w, " from ");
    td_say_slot(w, 1 - s);
    td_say(w, " to ");
    td_say_slot(w, s);
    td_say(w, ", and put ");
    td_words_member(w, pair, member, false, false);
    td_say(w, " into ");
    td_say_slot(w, 1 - s);
    td_say(w, ".");
}

static void advise_empty(const struct td_words *w) {
    td_say(w, "No disk is in ");
    td_say_dock(w);
    td_say(w, ". Put in the two disks of one pair.");
}

/* The size at enrolment that a disk is measured against. */
static uint64_t enrolled_size(const struct td_words *w, int s) {
    const struct td_match_result *match = &w->judgement->slots[s];
    if (match->match == TD_MATCH_MEMBER)
        return match->pair->members[match->member].size;
    return match->pair->members[match->pair->members[0].size != 0 ? 0 : 1].size;
}

static void advise_merged_slots(const struct td_words *w) {
    td_say(w, "Both slots of ");
    td_say_dock(w);
    td_say(w, " lead to one disk, ");
    td_quote(w, td_words_slot(w, 0)->disk.node);
    td_words_disk(w, 0);
    td_say(w,
           ". Set the dock to show its two disks one by one, or correct its two slots in the configuration (`twindock "
           "slots` learns them).");
}

static void advise_wrong_size(const struct td_words *w, int s) {
    bool alone = !td_words_slot(w, 1 - s)->present;
    const struct td_pair *pair = w->judgement->slots[s].pair;
    uint64_t size = td_words_slot(w, s)->disk.size;
    if (alone) {
        td_say(w, "The only disk in ");
        td_say_dock(w);
    } else {
        td_say(w, "The disk in ");
        td_say_slot(w, s);
    }
    if (td_words_is_member(w, s)) {
        td_say(w, " calls itself ");
        td_words_member_in(w, s, true, false);
    } else {
        td_say(w, " has the UUID of ");
        td_say_collection(w, pair);
    }
    td_say(w, " but is of the wrong size: ");
    td_words_sizes(w, size, " instead of ", enrolled_size(w, s));
    td_say(w, alone && size > enrolled_size(w, s)
                  ? ". Set the dock to show its two disks one by one (not combined); if it does, this disk is a copy: "
                    "take it out."
                  : ". It is a copy, or the dock shows it wrongly: take it out.");
}

static void advise_size_of_two(const struct td_words *w, int s) {
    td_say(w, "The only disk in ");
    td_say_dock(w);
    td_say(w, " is ");
    td_say(w, w->judgement->detail);
    td_words_disk(w, s);
    td_say(w,
           ": the dock seems to combine its disks into one. Set it to show them one by one. If that is a single large "
           "disk, it belongs to no enrolled pair: take it out.");
}

static void advise_merged(const struct td_words *w) {
    if (w->seen->mode == TD_MODE_INDIVIDUAL && w->seen->one_device)
        advise_merged_slots(w);
    else if (w->judgement->hidden)
        td_advise_hidden(w, w->judgement->slot);
    else if (w->judgement->detail != NULL)
        advise_size_of_two(w, w->judgement->slot);
    else
        advise_wrong_size(w, w->judgement->slot < 0 ? 0 : w->judgement->slot);
}

/* The end of a sentence that has two disks put in. */
static void say_places(const struct td_words *w) {
    td_say(w, w->judgement->slots_any ? "." : ", A in the source slot and B in the destination slot.");
}

static bool rests_on_drive(const struct td_words *w, int s) {
    return strcmp(w->judgement->slots[s].rests_on, "drive+card") == 0;
}

/* Where only one of the two drives is the enrolled one, that tells. */
static void say_which_is_copy(const struct td_words *w) {
    if (rests_on_drive(w, 0) == rests_on_drive(w, 1)) {
        td_say(w, ". One of them is a copy: ");
        return;
    }
    int copy = rests_on_drive(w, 0) ? 1 : 0;
    td_say(w, ". By its drive that is the one in ");
    td_say_slot(w, 1 - copy);
    td_say(w, ", and the one in ");
    td_say_slot(w, copy);
    td_say(w, " is a copy: ");
}

static void advise_duplicate(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    if (td_words_is_member(w, 0) && j->pair->layout == TD_LAYOUT_MIRRORED) {
        td_say(w, "Both slots report one serial, so nothing tells which half of ");
        td_say_collection(w, j->pair);
        td_say(w, " is which. Set the dock to mirror (`mode = mirror`) to back up; as it is, the two can be compared "
                  "with `twindock check --full`.");
        return;
    }
    if (td_words_is_member(w, 0)) {
        td_say(w, "Both disks say that they are ");
        td_words_member_in(w, 0, true, false);
        say_which_is_copy(w);
        td_say(w, "take it out and put in ");
        td_words_member(w, j->pair, 1 - j->slots[0].member, false, false);
        say_places(w);
        return;
    }
    td_say(w, "Both disks have the UUID of ");
    td_say_collection(w, j->pair);
    td_say(w, " and report the same serial, and neither has a card that tells which it is. Take both out and put in ");
    td_words_member(w, j->pair, 0, false, false);
    td_say(w, " and ");
    td_words_member(w, j->pair, 1, false, false);
    say_places(w);
}

/* True: with what to do about it. */
static bool say_foreign(const struct td_words *w, int s) {
    const struct td_slot *slot = td_words_slot(w, s);
    td_say(w, "The disk in ");
    td_say_slot(w, s);
    td_say(w, " belongs to no enrolled pair: it is ");
    td_describe_slot(w->seen, w->judgement, s, w->out);
    if (slot->problem[0] != '\0') {
        td_say(w, ": ");
        td_quote(w, slot->problem);
    }
    td_say(w, ".");
    td_words_cut_off(w, s);
    return td_words_owner(w, s);
}

/* Only such disks may be spoken of as if they could be formatted. */
static bool is_blank(const struct td_words *w, int s) {
    return td_words_slot(w, s)->blank && td_words_slot(w, s)->problem[0] == '\0';
}

/* Two ext4 filesystems of one UUID: made as a pair, and perhaps the last copies that there are. */
static bool are_twins(const struct td_words *w) {
    const struct td_filesystem *a = &td_words_slot(w, TD_SLOT_SOURCE)->fs,
                               *b = &td_words_slot(w, TD_SLOT_DESTINATION)->fs;
    return a->uuid[0] != '\0' && strcmp(a->uuid, b->uuid) == 0 && strcmp(a->type, "ext4") == 0 &&
           strcmp(b->type, "ext4") == 0;
}

static void advise_twins(const struct td_words *w) {
    td_say(w, "These two disks are a pair that this machine's ledger does not know: ");
    td_describe_slot(w->seen, w->judgement, TD_SLOT_SOURCE, w->out);
    td_say(w, " in the source slot and ");
    td_describe_slot(w->seen, w->judgement, TD_SLOT_DESTINATION, w->out);
    td_say(w, " in the destination slot, both with the UUID ");
    td_quote(w, td_words_slot(w, TD_SLOT_SOURCE)->fs.uuid);
    td_say(w, ". If they are the backup of a collection, take them up with `twindock enroll COLLECTION`; do not format "
              "them.");
}

/* A blank disk beside a member, where the other member belongs: perhaps it is to take that one's place. */
static void advise_newcomer(const struct td_words *w, int s) {
    const struct td_pair *pair;
    int member = needed_in(w, s, &pair);
    bool beside = td_words_is_member(w, 1 - s) && !misplaced(w, 1 - s) && is_blank(w, s);
    if (beside && td_words_retired(pair, member)) {
        td_buf_printf(w->out, " To make it member %c of ", "AB"[member]);
        td_say_collection(w, pair);
        td_say(w, ", the old one being retired, use ");
        td_words_replace(w, pair, member);
        td_say(w, ".");
        return;
    }
    exchange(w, s, take_it_out);
    if (!beside)
        return;
    td_say(w, " If that one is gone for good, this disk takes its place with ");
    td_words_replace(w, pair, member);
    td_say(w, ".");
}

static void advise_foreign(const struct td_words *w) {
    int s = w->judgement->slot;
    if (s >= 0) {
        if (!say_foreign(w, s))
            advise_newcomer(w, s);
        return;
    }
    if (are_twins(w)) {
        advise_twins(w);
        return;
    }
    bool known = say_foreign(w, TD_SLOT_SOURCE);
    td_say(w, " ");
    known = say_foreign(w, TD_SLOT_DESTINATION) || known;
    if (known) {
        td_say(w, " Put in the two disks of one pair.");
        return;
    }
    if (is_blank(w, TD_SLOT_SOURCE) && is_blank(w, TD_SLOT_DESTINATION)) {
        td_say(w, " Put in the two disks of one pair, or make these two a pair with `twindock format COLLECTION`.");
        return;
    }
    td_say(w, " Put in the two disks of one pair.");
    say_how_to_begin(w);
}

/* Its card could not be read, which says nothing of whose disk it is. */
static bool is_damaged(const struct td_words *w, int s) {
    return td_words_slot(w, s)->card_state == TD_CARD_BAD;
}

static void say_unknown(const struct td_words *w, int s) {
    const struct td_slot *slot = td_words_slot(w, s);
    const struct td_match_result *match = &w->judgement->slots[s];
    td_say(w, "The disk in ");
    td_say_slot(w, s);
    td_words_disk(w, s);
    td_say(w, " has the UUID of ");
    td_say_collection(w, match->pair);
    td_say(w,
           is_damaged(w, s) ? " but cannot be recognised as one of its members: " : " but is neither of its members: ");
    td_say(w, match->why);
    if (slot->card_state != TD_CARD_READ && slot->problem[0] != '\0') {
        td_say(w, " (");
        td_quote(w, slot->problem);
        td_say(w, ")");
    }
    td_say(w, ".");
    td_words_cut_off(w, s);
}

/* It may be the very disk that is asked for. */
static void say_mending(const struct td_words *w, int s) {
    const struct td_pair *pair;
    int member = needed_in(w, s, &pair);
    if (member < 0 || td_words_retired(pair, member))
        return;
    td_say(w, " If this is that disk, it is damaged: `e2fsck -f ");
    td_quote(w, td_words_slot(w, s)->fs.device.node);
    td_say(w, "` may mend it, or a new disk takes its place with ");
    td_words_replace(w, pair, member);
    td_say(w, ".");
}

static void say_busy(const struct td_words *w, int s) {
    td_say(w, "The disk in ");
    td_say_slot(w, s);
    td_words_disk(w, s);
    td_say(w, " has the UUID of ");
    td_say_collection(w, w->judgement->slots[s].pair);
    td_say(w, ", but ");
    td_quote(w, td_words_slot(w, s)->fs.device.node);
    td_say(w, " is in use, mounted perhaps, so its card cannot be read. Unmount it and try again.");
}

static void advise_unknown(const struct td_words *w) {
    for (int s = 0; s < TD_SLOTS; s++) {
        if (w->judgement->slots[s].match != TD_MATCH_PAIR)
            continue;
        if (s == TD_SLOT_DESTINATION && w->judgement->slot < 0)
            td_say(w, " ");
        if (td_words_busy(w, s)) {
            say_busy(w, s);
            continue;
        }
        say_unknown(w, s);
        exchange(w, s, take_it_out);
        td_words_bridged(w, s);
        if (is_damaged(w, s))
            say_mending(w, s);
    }
}

static void advise_mixed(const struct td_words *w) {
    td_say(w, "These are disks of two pairs: ");
    td_words_member_in(w, TD_SLOT_SOURCE, true, false);
    td_say(w, " is in the source slot and ");
    td_words_member_in(w, TD_SLOT_DESTINATION, true, false);
    td_say(w, " in the destination slot. Take one of them out and put in the other disk of the one that stays");
    say_places(w);
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_match_result *match = &w->judgement->slots[s];
        td_say(w, s == TD_SLOT_SOURCE ? " For " : ", for ");
        td_say_collection(w, match->pair);
        td_say(w, s == TD_SLOT_SOURCE ? " that is " : " ");
        td_words_member(w, match->pair, 1 - match->member, false, false);
    }
    td_say(w, ".");
}

static void advise_missing(const struct td_words *w) {
    int s = w->judgement->slot;
    int member = w->judgement->slots[s].member;
    bool move = misplaced(w, s);
    td_words_member_in(w, s, true, true);
    td_say(w, " is alone, in ");
    td_say_slot(w, s);
    if (td_words_retired(w->judgement->pair, 1 - member)) {
        td_buf_printf(w->out, ", and member %c is retired. ", "AB"[1 - member]);
        if (move) {
            td_say(w, "Move it to ");
            td_say_slot(w, 1 - s);
            td_say(w, ", put ");
        } else {
            td_say(w, "Put ");
        }
        td_say(w, "a new disk into ");
        td_say_slot(w, move ? s : 1 - s);
        td_say(w, " and make it the new one with ");
        td_words_replace(w, w->judgement->pair, 1 - member);
        td_say(w, ".");
        return;
    }
    td_say(w, ". ");
    if (move) {
        td_say(w, "Move it to ");
        td_say_slot(w, 1 - s);
        td_say(w, " and put ");
    } else {
        td_say(w, "Put ");
    }
    td_words_member(w, w->judgement->pair, 1 - member, false, false);
    td_say(w, " into ");
    td_say_slot(w, move ? s : 1 - s);
    td_say(w, ".");
    /* A dock that mirrors shows the one in the source slot. */
    if (s == TD_SLOT_SOURCE)
        td_say(w, " If it is in already, the dock mirrors instead of showing both disks, or that disk has failed.");
}

static void advise_swapped(const struct td_words *w) {
    int s = w->judgement->slot;
    if (s >= 0) {
        td_words_member_in(w, s, true, true);
        td_say(w, " is in ");
        td_say_slot(w, s);
        td_say(w, ". Move it to ");
        td_say_slot(w, 1 - s);
        td_say(w, ".");
        return;
    }
    td_words_member_in(w, TD_SLOT_SOURCE, true, true);
    td_say(w, " is in the source slot and ");
    td_words_member_in(w, TD_SLOT_DESTINATION, false, false);
    td_say(w, " in the destination slot. Swap the two disks.");
}

/* The run found this one and brings its own sentence. */
static void advise_own_words(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    if (j->detail != NULL)
        td_say(w, j->detail);
    else
        td_buf_printf(w->out, "Nothing was written: %s.", td_verdict_table[j->verdict].meaning);
}

static void advise_ok(const struct td_words *w) {
    const struct td_judgement *j = w->judgement;
    int s = j->slot_of[0] >= 0 ? j->slot_of[0] : j->slot_of[1];
    td_words_member_in(w, s, true, true);
    td_say(w, " is in ");
    td_say_slot(w, s);
    if (td_words_is_member(w, 1 - s)) {
        td_say(w, " and ");
        td_words_member_in(w, 1 - s, false, false);
        td_say(w, " in ");
        td_say_slot(w, 1 - s);
        td_say(w, ".");
    } else {
        td_say(w, w->seen->mode == TD_MODE_MIRROR ? " of a mirroring dock." : ", alone, as the configuration allows.");
    }
    td_words_by_card_alone(w);
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
    [TD_WRONG_LAYOUT] = td_advise_layout,
    [TD_STALE_SOURCE] = td_advise_stale,
    [TD_AHEAD_OF_LEDGER] = td_advise_ahead,
    [TD_UNPROVEN_PAIR] = td_advise_unproven,
    [TD_UNCLEAN] = td_advise_unclean,
    [TD_SOURCE_MISSING] = advise_own_words,
    [TD_BRAKE] = advise_own_words,
    [TD_OK] = advise_ok,
};

void td_advise(const struct td_observation *seen, const struct td_judgement *judgement, struct td_buf *out) {
    const struct td_words w = {out, seen, judgement};
    sentences[judgement->verdict](&w);
}
