#include "twindock/dock/verdict.h"

#include <string.h>

/* What the rows look at. Below `mixed_pairs`, every disk that is present is a member of `pair`. */
struct facts {
    const struct td_observation *seen;
    const struct td_policy *policy;
    const struct td_match_result *match; /* [TD_SLOTS] */
    const struct td_pair *pairs;
    size_t pair_count;
    const struct td_pair *pair; /* the one pair that all recognised disks belong to, NULL: none, or several */
    bool alike;                 /* both slots report one serial or WWN */
};

static int present(const struct facts *f) {
    return (f->seen->slots[0].present ? 1 : 0) + (f->seen->slots[1].present ? 1 : 0);
}

static bool is_member(const struct facts *f, int s) {
    return f->match[s].match == TD_MATCH_MEMBER;
}

static const struct td_member *member_in(const struct facts *f, int s) {
    return &f->match[s].pair->members[f->match[s].member];
}

/* Ask each slot. True when one of them answers yes, with j->slot naming it; -1 when both do. */
static bool any_slot(const struct facts *f, bool (*ask)(const struct facts *f, int s), struct td_judgement *j) {
    bool first = ask(f, TD_SLOT_SOURCE), second = ask(f, TD_SLOT_DESTINATION);
    j->slot = first && second ? -1 : first ? TD_SLOT_SOURCE : second ? TD_SLOT_DESTINATION : -1;
    return first || second;
}

/* --- the rows ---------------------------------------------------------------------------------------- */

static bool empty(const struct facts *f, struct td_judgement *j) {
    (void)j;
    return present(f) == 0;
}

/* A dock that mirrors shows what fits on both halves, and either of them may be the larger. */
static bool too_large_for_half(const struct td_slot *slot, const struct td_pair *pair, enum td_mode mode) {
    uint64_t a = pair->members[0].size, b = pair->members[1].size, largest = a > b ? a : b;
    bool known = largest != 0 && (mode == TD_MODE_MIRROR || (a != 0 && b != 0));
    return known && slot->disk.size > largest && slot->fs.device.size > largest;
}

static bool other_size(const struct td_slot *slot, const struct td_member *member) {
    return member->letter != 0 && member->size != 0 && slot->disk.size != member->size &&
           slot->fs.device.size != member->size;
}

/* A dock that combines its disks shows one, of the sum of their sizes, on which at best a UUID is left to recognise: so
 * a disk that is alone is measured by its UUID alone. Of two, a stranger's size says nothing. */
static bool wrong_size(const struct facts *f, int s) {
    const struct td_slot *slot = &f->seen->slots[s];
    if (is_member(f, s) && f->match[s].pair->layout == TD_LAYOUT_MIRRORED)
        return too_large_for_half(slot, f->match[s].pair, f->seen->mode);
    if (is_member(f, s))
        return other_size(slot, member_in(f, s));
    if (f->match[s].match != TD_MATCH_PAIR || present(f) > 1)
        return false;
    const struct td_member *members = f->match[s].pair->members;
    bool a = other_size(slot, &members[0]), b = other_size(slot, &members[1]);
    return (a || members[0].letter == 0) && (b || members[1].letter == 0) && (a || b);
}

/* One disk with nothing on it that is known, as large as both disks of a pair together, give or take a hundredth: so it
 * looks when a dock combines two disks in the wrong order, or two that were not combined before. */
static bool size_of_two(const struct facts *f, struct td_judgement *j) {
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_slot *slot = &f->seen->slots[s];
        if (present(f) != 1 || !slot->present || f->match[s].match != TD_MATCH_NONE)
            continue;
        for (size_t i = 0; i < f->pair_count; i++) {
            const struct td_member *of = f->pairs[i].members;
            uint64_t sum = of[0].size + of[1].size, size = slot->disk.size;
            if (of[0].size == 0 || of[1].size == 0 || (size > sum ? size - sum : sum - size) > sum / 100)
                continue;
            j->slot = s;
            j->detail = "as large as the two disks of a pair together";
            return true;
        }
    }
    return false;
}

/* One disk where two are expected, with a member's card, of which a bridge says what its drive does not: a dock that
 * mirrors two twins looks so, and so does a dock that says nothing of drives with one disk in it. */
static bool hidden(const struct facts *f, int s) {
    return f->seen->mode == TD_MODE_INDIVIDUAL && present(f) == 1 && is_member(f, s) && f->match[s].bridged;
}

/* The same from a dock that speaks as if it were a drive, of a model of its own. */
static bool other_model(const struct facts *f, int s) {
    const struct td_identity *seen = &f->seen->slots[s].identity;
    if (f->seen->mode != TD_MODE_INDIVIDUAL || present(f) != 1 || f->match[s].match != TD_MATCH_PAIR ||
        seen->source != TD_IDENTITY_ATA || seen->model[0] == '\0')
        return false;
    for (int m = 0; m < 2; m++) {
        const struct td_member *member = &f->match[s].pair->members[m];
        if (member->letter == 0)
            continue;
        if (member->identity.source != TD_IDENTITY_ATA || member->identity.model[0] == '\0' ||
            strcmp(member->identity.model, seen->model) == 0)
            return false;
    }
    return true;
}

static bool dock_merged(const struct facts *f, struct td_judgement *j) {
    if (f->seen->mode == TD_MODE_INDIVIDUAL && f->seen->one_device)
        return true;
    if (any_slot(f, wrong_size, j) || size_of_two(f, j))
        return true;
    j->hidden = any_slot(f, hidden, j) || any_slot(f, other_model, j);
    return j->hidden;
}

/* Disks with the same UUID that neither a card nor a drive tells apart. */
static bool duplicate_identity(const struct facts *f, struct td_judgement *j) {
    (void)j;
    if (present(f) < 2 || f->pair == NULL || f->match[0].pair != f->match[1].pair)
        return false;
    if (is_member(f, 0) && is_member(f, 1))
        return f->match[0].member == f->match[1].member;
    return f->alike && !is_member(f, 0) && !is_member(f, 1);
}

static bool no_pair(const struct facts *f, int s) {
    return f->seen->slots[s].present && f->match[s].match == TD_MATCH_NONE;
}

static bool foreign_disk(const struct facts *f, struct td_judgement *j) {
    return any_slot(f, no_pair, j);
}

/* What a dock that mirrors says of the drive behind it is its own affair, and twins have no business there whatever
 * their cards: that is what has to be said. */
static bool twins_mirrored(const struct facts *f, int s) {
    return f->seen->mode == TD_MODE_MIRROR && f->match[s].pair->layout == TD_LAYOUT_TWINS;
}

static bool no_member(const struct facts *f, int s) {
    return f->match[s].match == TD_MATCH_PAIR && !twins_mirrored(f, s);
}

static bool unknown_member(const struct facts *f, struct td_judgement *j) {
    if (!any_slot(f, no_member, j))
        return false;
    j->detail = f->match[j->slot < 0 ? 0 : j->slot].why;
    return true;
}

static bool mixed_pairs(const struct facts *f, struct td_judgement *j) {
    (void)j;
    return f->pair == NULL;
}

static bool missing_member(const struct facts *f, struct td_judgement *j) {
    j->slot = f->seen->slots[0].present ? TD_SLOT_SOURCE : TD_SLOT_DESTINATION;
    return f->seen->mode == TD_MODE_INDIVIDUAL && present(f) == 1 && !f->policy->single_allow;
}

/* Member A belongs in the source slot, B in the destination. */
static bool in_other_slot(const struct facts *f, int s) {
    return is_member(f, s) && f->match[s].member != s;
}

static bool swapped(const struct facts *f, struct td_judgement *j) {
    /* In mirror mode the disks are swapped on purpose: the one that is read is proven by turns. */
    return f->seen->mode == TD_MODE_INDIVIDUAL && !f->policy->slots_any && any_slot(f, in_other_slot, j);
}

static bool card_of_other_layout(const struct facts *f, int s) {
    return is_member(f, s) && f->seen->slots[s].card.layout != f->pair->layout;
}

static bool wrong_layout(const struct facts *f, struct td_judgement *j) {
    bool wants_mirror = f->pair->layout == TD_LAYOUT_MIRRORED;
    if (wants_mirror != (f->seen->mode == TD_MODE_MIRROR))
        return true;
    if (!any_slot(f, card_of_other_layout, j))
        return false;
    j->detail = "its card and the ledger name different layouts";
    return true;
}

static bool behind_ledger(const struct facts *f, int s) {
    return is_member(f, s) && f->seen->slots[s].card.generation < f->pair->generation;
}

static bool stale_source(const struct facts *f, struct td_judgement *j) {
    return f->pair->layout == TD_LAYOUT_MIRRORED && any_slot(f, behind_ledger, j);
}

static bool ahead(const struct facts *f, int s) {
    return is_member(f, s) && f->seen->slots[s].card.generation > f->pair->intent;
}

static bool ahead_of_ledger(const struct facts *f, struct td_judgement *j) {
    return !f->policy->accept_ahead && any_slot(f, ahead, j);
}

/* The member that the mirroring dock hides has not been in the slot that is read for too many runs. */
static bool other_unread(const struct facts *f, int s) {
    if (!is_member(f, s))
        return false;
    const struct td_member *other = &f->pair->members[1 - f->match[s].member];
    return f->pair->generation - other->generation >= f->policy->prove_every;
}

static bool unproven_pair(const struct facts *f, struct td_judgement *j) {
    if (f->pair->layout != TD_LAYOUT_MIRRORED)
        return false;
    if (f->pair->differs != 0) {
        j->detail = "its halves were found to differ";
        j->slot = f->seen->slots[0].present ? TD_SLOT_SOURCE : TD_SLOT_DESTINATION;
        return true;
    }
    return f->policy->prove_every > 0 && any_slot(f, other_unread, j);
}

const char *td_slot_flaw(const struct td_slot *slot) {
    if (!slot->super_read)
        return "its superblock cannot be read";
    return slot->super.errors ? "errors are recorded in it" : td_ext4_refused(&slot->super);
}

static bool flawed(const struct facts *f, int s) {
    return is_member(f, s) && td_slot_flaw(&f->seen->slots[s]) != NULL;
}

static bool unclean(const struct facts *f, struct td_judgement *j) {
    if (!any_slot(f, flawed, j))
        return false;
    j->detail = td_slot_flaw(&f->seen->slots[j->slot < 0 ? 0 : j->slot]);
    return true;
}

static bool ok(const struct facts *f, struct td_judgement *j) {
    (void)f;
    j->slot = -1;
    return true;
}

/* In the order of the specification. source-missing and brake are found later, by the run. */
static const struct {
    enum td_verdict verdict;
    bool (*applies)(const struct facts *f, struct td_judgement *j);
} rows[] = {
    {TD_EMPTY, empty},
    {TD_DOCK_MERGED, dock_merged},
    {TD_DUPLICATE_IDENTITY, duplicate_identity},
    {TD_FOREIGN_DISK, foreign_disk},
    {TD_UNKNOWN_MEMBER, unknown_member},
    {TD_MIXED_PAIRS, mixed_pairs},
    {TD_MISSING_MEMBER, missing_member},
    {TD_SWAPPED, swapped},
    {TD_WRONG_LAYOUT, wrong_layout},
    {TD_STALE_SOURCE, stale_source},
    {TD_AHEAD_OF_LEDGER, ahead_of_ledger},
    {TD_UNPROVEN_PAIR, unproven_pair},
    {TD_UNCLEAN, unclean},
    {TD_OK, ok},
};

static const struct td_pair *common_pair(const struct td_match_result match[TD_SLOTS]) {
    const struct td_pair *first = match[0].pair, *second = match[1].pair;
    if (first != NULL && second != NULL && first != second)
        return NULL;
    return first != NULL ? first : second;
}

struct td_judgement td_judge_dock(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                                  const struct td_policy *policy) {
    struct td_judgement j = {.slot_of = {-1, -1}, .slot = -1, .slots_any = policy->slots_any};
    td_match_slots(seen, pairs, pair_count, j.slots);
    td_drive_owners(seen, pairs, pair_count, j.slots, j.owner);
    j.pair = common_pair(j.slots);
    j.alike = seen->slots[0].present && seen->slots[1].present &&
              td_drive_alike(&seen->slots[0].identity, &seen->slots[1].identity);

    const struct facts facts = {seen, policy, j.slots, pairs, pair_count, j.pair, j.alike};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        j.slot = -1;
        if (rows[i].applies(&facts, &j)) {
            j.verdict = rows[i].verdict;
            break;
        }
    }
    if (j.pair == NULL && j.slot >= 0)
        j.pair = j.slots[j.slot].pair;
    for (int s = TD_SLOTS - 1; s >= 0; s--) {
        if (j.slots[s].match == TD_MATCH_MEMBER && j.slots[s].pair == j.pair)
            j.slot_of[j.slots[s].member] = s;
    }
    return j;
}
