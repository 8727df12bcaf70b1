/* The sentences about docks that do not let the drives speak for themselves. */
#include "words.h"

void td_advise_hidden(const struct td_words *w, int s) {
    const struct td_match_result *match = &w->judgement->slots[s];
    const struct td_identity *told = &td_words_slot(w, s)->identity;
    bool member = td_words_is_member(w, s);
    td_say(w, "The only disk in ");
    td_say_dock(w);
    if (member) {
        td_say(w, " has the card of ");
        td_words_member_in(w, s, true, false);
        td_say(w, ", but the dock reports another serial than its drive's");
        if (told->serial[0] != '\0') {
            td_say(w, " (");
            td_quote(w, told->serial);
            td_say(w, ")");
        }
    } else {
        td_say(w, " has the UUID of ");
        td_say_collection(w, match->pair);
        td_say(w, ", but calls itself \"");
        td_quote(w, told->model);
        td_say(w, "\"");
        td_words_disk(w, s);
        td_say(w, ", which is neither of its drives");
    }
    td_say(
        w,
        ". If both disks are in, the dock mirrors or combines them: set it to show its two disks one by one. If not, ");
    if (!member) {
        td_say(w, "this disk is a copy: take it out.");
        return;
    }
    if (td_words_retired(match->pair, 1 - match->member)) {
        td_say(w, "use a dock that passes on ATA commands.");
        return;
    }
    td_say(w, "put in ");
    td_words_member(w, match->pair, 1 - match->member, false, false);
    td_say(w, " too, or use a dock that passes on ATA commands.");
}

void td_words_bridged(const struct td_words *w, int s) {
    const struct td_match_result *match = &w->judgement->slots[s];
    if (!match->bridged)
        return;
    if (td_words_slot(w, s)->identity.source == TD_IDENTITY_BRIDGE) {
        td_say(w,
               " If its label says that it is the right one, the dock reports a serial of its own: use one that passes "
               "on ATA commands.");
        return;
    }
    td_say(
        w,
        " If its label says that it is the right one, it was enrolled in a dock that reported a serial of its own: put "
        "in both disks and say `twindock enroll ");
    td_say_collection(w, match->pair);
    td_say(w, "`.");
}

void td_words_by_card_alone(const struct td_words *w) {
    const struct td_match_result *match = w->judgement->slots;
    if (w->seen->mode == TD_MODE_MIRROR || (!match[0].bridged && !match[1].bridged))
        return;
    for (int s = 0; s < TD_SLOTS; s++) {
        if (match[s].bridged && td_words_slot(w, s)->identity.source == TD_IDENTITY_BRIDGE) {
            td_say(
                w,
                " The dock reports serials of its own for them, so their cards alone tell which they are, and a copy "
                "would not be noticed: a dock that passes on ATA commands is safer.");
            return;
        }
    }
    td_say(w, " They were enrolled in a dock that reported serials of its own; `twindock enroll ");
    td_say_collection(w, w->judgement->pair);
    td_say(w, "` enters those of their drives.");
}

/* Is there something on the disk of which nobody knows what it is? Then it may be what is left of the backup. */
static bool may_hold_remains(const struct td_slot *slot) {
    return !slot->blank && slot->problem[0] == '\0' && slot->fs.type[0] == '\0' && !slot->fs.ambivalent &&
           !slot->fs.partition_table;
}

/* ext4 has copies of its superblock. With blocks of 4096 bytes, as mkfs.ext4 makes them on any disk of today, the first
 * is in block 32768. */
static void say_remains(const struct td_words *w, int s) {
    td_say(w, " Do not format it: its files may still be there. `e2fsck -n -b 32768 ");
    td_quote(w, td_words_slot(w, s)->at.node);
    td_say(w, "` shows it and changes nothing; without -n it mends.");
}

bool td_words_owner(const struct td_words *w, int s) {
    const struct td_drive_owner *owner = &w->judgement->owner[s];
    const struct td_match_result *other = &w->judgement->slots[1 - s];
    if (owner->pair == NULL || (!owner->certain && (w->judgement->alike || other->pair == owner->pair)))
        return false; /* or the dock's name for this slot, in which its member is missed */
    td_say(w, owner->certain ? " Its drive is that of " : " By the serial that the dock reports its drive is that of ");
    td_words_member(w, owner->pair, owner->member, true, false);
    td_say(w, owner->certain ? ", whose filesystem is gone or damaged."
                             : ". Unless that is the dock's own serial, the filesystem of that member is gone or "
                               "damaged.");
    if (may_hold_remains(td_words_slot(w, s)))
        say_remains(w, s);
    td_say(w, " Take it out and find out why before you trust it again; a new disk takes its place with ");
    td_words_replace(w, owner->pair, owner->member);
    td_say(w, ".");
    return true;
}
