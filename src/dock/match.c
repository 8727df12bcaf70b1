#include "twindock/dock/verdict.h"

#include <string.h>
#include <strings.h>

bool td_drive_speaks(const struct td_identity *identity) {
    return identity->source == TD_IDENTITY_ATA || identity->source == TD_IDENTITY_NVME ||
           identity->source == TD_IDENTITY_SCSI || identity->source == TD_IDENTITY_BRIDGE;
}

static bool both_known(const char *a, const char *b) {
    return a[0] != '\0' && b[0] != '\0';
}

bool td_drive_alike(const struct td_identity *a, const struct td_identity *b) {
    return (both_known(a->serial, b->serial) && strcmp(a->serial, b->serial) == 0) ||
           (both_known(a->wwn, b->wwn) && strcasecmp(a->wwn, b->wwn) == 0);
}

static bool is_bridge(const struct td_identity *identity) {
    return identity->source == TD_IDENTITY_BRIDGE;
}

/* Without regard to what else may have this identity. */
static enum td_drive_word compare(const struct td_identity *seen, const struct td_identity *enrolled) {
    bool bridged = is_bridge(seen) || is_bridge(enrolled), differs = false;
    if (!td_drive_speaks(seen) || !td_drive_speaks(enrolled))
        return TD_DRIVE_SILENT;
    if (both_known(seen->serial, enrolled->serial)) {
        if (strcmp(seen->serial, enrolled->serial) == 0 ||
            (bridged && td_identity_serial_passed_on(seen->serial, enrolled->serial)))
            return TD_DRIVE_SAME;
        if (!bridged || is_bridge(enrolled)) /* its WWN may have been the bridge's just as well */
            return bridged ? TD_DRIVE_UNSURE : TD_DRIVE_OTHER;
        differs = true;
    }
    if (both_known(seen->wwn, enrolled->wwn)) {
        if (strcasecmp(seen->wwn, enrolled->wwn) == 0)
            return TD_DRIVE_SAME;
        differs = true;
    }
    return !differs ? TD_DRIVE_SILENT : bridged ? TD_DRIVE_UNSURE : TD_DRIVE_OTHER;
}

enum td_drive_word td_drive_word(const struct td_identity *seen, const struct td_pair *pair, int member) {
    const struct td_member *other = &pair->members[1 - member];
    if (td_drive_alike(&pair->members[0].identity, &pair->members[1].identity))
        return TD_DRIVE_SILENT;
    enum td_drive_word word = compare(seen, &pair->members[member].identity);
    if (word == TD_DRIVE_UNSURE && other->letter != 0 && compare(seen, &other->identity) == TD_DRIVE_SAME)
        return TD_DRIVE_OTHER;
    return word;
}

bool td_drive_stranger(const struct td_identity *seen, const struct td_pair *pair) {
    for (int i = 0; i < 2; i++) {
        if (pair->members[i].letter != 0 && td_drive_word(seen, pair, i) != TD_DRIVE_OTHER)
            return false;
    }
    return true;
}

const struct td_pair *td_pair_find(const struct td_pair *pairs, size_t pair_count, const char *uuid) {
    for (size_t i = 0; uuid[0] != '\0' && i < pair_count; i++) {
        if (strcasecmp(pairs[i].uuid, uuid) == 0)
            return &pairs[i];
    }
    return NULL;
}

/* Why what the disk holds cannot be a member's, or NULL when there is a readable card of this pair on it. */
static const char *unfit(const struct td_slot *slot, const struct td_pair *pair) {
    if (strcmp(slot->fs.type, "ext4") != 0)
        return "it does not hold ext4";
    if (slot->super_read && strcasecmp(slot->super.uuid, slot->fs.uuid) != 0)
        return "its superblock has another UUID";
    switch (slot->card_state) {
    case TD_CARD_ABSENT:
        return "it has no card";
    case TD_CARD_BAD:
        return "its card cannot be read";
    case TD_CARD_UNREAD:
        return slot->problem[0] == '\0' && td_drive_stranger(&slot->identity, pair)
                   ? "its drive is not an enrolled one"
                   : "its card could not be looked for";
    case TD_CARD_READ:
    case TD_CARD_DUE:
        break;
    }
    return strcasecmp(slot->card.pair, pair->uuid) == 0 ? NULL : "its card is that of another pair";
}

/* The member whose token the card carries, -1: neither. The halves of a mirrored pair carry one and the same card;
 * there the drive says which of the two it is, and the card only where the drive is silent. */
static int member_of_card(const struct td_card *card, const struct td_identity *identity, const struct td_pair *pair,
                          bool drive_counts) {
    int named = -1;
    for (int i = 0; i < 2; i++) {
        const struct td_member *member = &pair->members[i];
        if (member->letter != 0 && member->letter == card->member && member->token[0] != '\0' &&
            strcmp(member->token, card->token) == 0)
            named = i;
    }
    if (named < 0 || pair->layout != TD_LAYOUT_MIRRORED || !drive_counts)
        return named;
    enum td_drive_word word[2];
    for (int i = 0; i < 2; i++) {
        word[i] = pair->members[i].letter != 0 ? td_drive_word(identity, pair, i) : TD_DRIVE_OTHER;
        if (word[i] == TD_DRIVE_SAME)
            return i;
    }
    /* Certainly not this one, and of the other's drive nothing is known yet. */
    return word[named] == TD_DRIVE_OTHER && word[1 - named] == TD_DRIVE_SILENT ? 1 - named : named;
}

static struct td_match_result stranger(struct td_match_result result, const char *why) {
    result.match = TD_MATCH_PAIR;
    result.rests_on = "";
    result.why = why;
    return result;
}

static struct td_match_result match_disk(const struct td_slot *slot, const struct td_pair *pairs, size_t pair_count,
                                         bool drive_counts) {
    struct td_match_result result = {.match = TD_MATCH_NONE, .rests_on = "", .why = ""};
    if (!slot->present || slot->fs.ambivalent)
        return result;
    result.pair = td_pair_find(pairs, pair_count, slot->fs.uuid);
    if (result.pair == NULL)
        return result;
    const char *why = unfit(slot, result.pair);
    if (why != NULL)
        return stranger(result, why);
    int member = member_of_card(&slot->card, &slot->identity, result.pair, drive_counts);
    if (member < 0)
        return stranger(result, "its card is not the one that is enrolled (it was replaced or retired)");

    enum td_drive_word word = drive_counts ? td_drive_word(&slot->identity, result.pair, member) : TD_DRIVE_SILENT;
    if (word == TD_DRIVE_OTHER)
        return stranger(result, "its card is a member's but its drive is another one, so it is a copy");
    result.match = TD_MATCH_MEMBER;
    result.member = member;
    result.bridged = word == TD_DRIVE_UNSURE;
    result.rests_on = word == TD_DRIVE_SAME ? "drive+card" : "card";
    return result;
}

struct td_match_result td_match_slot(const struct td_slot *slot, const struct td_pair *pairs, size_t pair_count) {
    return match_disk(slot, pairs, pair_count, true);
}

/* Both halves of a mirrored pair, seen one by one, with the one card that both carry, and drives that do not tell which
 * is which: the one that is told by its drive is it, else the one in the source slot is A. Nothing is written here. */
static void tell_halves_apart(struct td_match_result out[TD_SLOTS]) {
    struct td_match_result *a = &out[TD_SLOT_SOURCE], *b = &out[TD_SLOT_DESTINATION];
    if (a->match != TD_MATCH_MEMBER || b->match != TD_MATCH_MEMBER || a->pair != b->pair || a->member != b->member ||
        a->pair->layout != TD_LAYOUT_MIRRORED)
        return;
    if (strcmp(a->rests_on, "card") != 0) {
        b->member = 1 - a->member;
    } else if (strcmp(b->rests_on, "card") != 0) {
        a->member = 1 - b->member;
    } else {
        a->member = 0;
        b->member = 1;
    }
}

/* Does this slot report what an enrolled drive is called? Then its dock passes that on. */
static bool is_enrolled_drive(const struct td_slot *slot, const struct td_pair *pairs, size_t pair_count) {
    for (size_t i = 0; slot->present && i < pair_count; i++) {
        for (int m = 0; m < 2; m++) {
            if (pairs[i].members[m].letter != 0 && td_drive_word(&slot->identity, &pairs[i], m) == TD_DRIVE_SAME)
                return true;
        }
    }
    return false;
}

/* May the card be believed against what the dock says of the drive? A dock that mirrors may say what it likes. */
static bool may_pass_over(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count, int s) {
    if (seen->mode == TD_MODE_MIRROR)
        return true;
    if (!seen->slots[1 - s].present && !is_bridge(&seen->slots[s].identity))
        return false; /* the drive itself speaks, and nothing else tells that it is the one */
    return !is_enrolled_drive(&seen->slots[0], pairs, pair_count) &&
           !is_enrolled_drive(&seen->slots[1], pairs, pair_count);
}

/* Each card lies on the other member's drive: nobody copies two disks crosswise. It is the bridge that gives its bays
 * their serials, and the disks have changed places. */
static bool crossed(const struct td_observation *seen, const struct td_match_result out[TD_SLOTS]) {
    const struct td_pair *pair = out[0].pair;
    if (pair == NULL || pair != out[1].pair || pair->layout != TD_LAYOUT_TWINS)
        return false;
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_slot *slot = &seen->slots[s];
        if (unfit(slot, pair) != NULL)
            return false;
        int member = member_of_card(&slot->card, &slot->identity, pair, false);
        if (member < 0 || td_drive_word(&slot->identity, pair, 1 - member) != TD_DRIVE_SAME)
            return false;
    }
    return true;
}

void td_match_slots(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                    struct td_match_result out[TD_SLOTS]) {
    const struct td_slot *slots = seen->slots;
    bool alike = slots[0].present && slots[1].present && td_drive_alike(&slots[0].identity, &slots[1].identity);
    for (int s = 0; s < TD_SLOTS; s++)
        out[s] = match_disk(&slots[s], pairs, pair_count, !alike);
    for (int s = 0; s < TD_SLOTS; s++) {
        if (out[s].bridged && !may_pass_over(seen, pairs, pair_count, s))
            out[s] = stranger(out[s],
                              "its card is a member's but the serial reported for it is not, so it seems to be a copy");
    }
    if (!alike)
        tell_halves_apart(out);
    if (alike || !crossed(seen, out))
        return;
    for (int s = 0; s < TD_SLOTS; s++)
        out[s] = match_disk(&slots[s], pairs, pair_count, false);
}

/* --- whose drive is it? ------------------------------------------------------------------------------------------ */

/* A member that is recognised in the other slot is there and not here. */
static bool is_in(const struct td_match_result *match, const struct td_pair *pair, int member) {
    return match->match == TD_MATCH_MEMBER && match->pair == pair && match->member == member;
}

/* Is this the drive's own name, and not one that a dock gives to whatever is in this slot? */
static bool is_own_name(const struct td_observation *seen, int s, const struct td_member *member) {
    const struct td_identity *told = &seen->slots[s].identity;
    return seen->mode == TD_MODE_INDIVIDUAL && !(is_bridge(told) && is_bridge(&member->identity)) &&
           !(seen->slots[1 - s].present && td_drive_alike(told, &seen->slots[1 - s].identity));
}

static bool is_of_size(const struct td_slot *slot, const struct td_member *member) {
    return member->size == 0 || member->size == slot->disk.size;
}

static struct td_drive_owner find_owner(const struct td_observation *seen, const struct td_pair *pairs,
                                        size_t pair_count, const struct td_match_result *elsewhere, int s) {
    struct td_drive_owner owner = {0};
    int count = 0;
    for (size_t i = 0; i < pair_count; i++) {
        for (int m = 0; m < 2; m++) {
            const struct td_member *member = &pairs[i].members[m];
            if (member->letter == 0 || is_in(elsewhere, &pairs[i], m) ||
                td_drive_word(&seen->slots[s].identity, &pairs[i], m) != TD_DRIVE_SAME)
                continue;
            if (is_own_name(seen, s, member))
                return (struct td_drive_owner){&pairs[i], m, true};
            if (!is_of_size(&seen->slots[s], member))
                continue;
            owner = (struct td_drive_owner){&pairs[i], m, false};
            count++;
        }
    }
    return count == 1 ? owner : (struct td_drive_owner){0};
}

void td_drive_owners(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                     const struct td_match_result match[TD_SLOTS], struct td_drive_owner out[TD_SLOTS]) {
    for (int s = 0; s < TD_SLOTS; s++) {
        out[s] = (struct td_drive_owner){0};
        if (seen->slots[s].present && match[s].match != TD_MATCH_MEMBER)
            out[s] = find_owner(seen, pairs, pair_count, &match[1 - s], s);
    }
}
