/*
 * dock/verdict.h: every combination of disks in the two slots, under every policy, against an independent statement of
 * the rules. Each kind of disk is declared by what a person would say about it ("it is foreign", "it says it is A of
 * M", "its drive contradicts that"), and built as the structs that an observation would hold; the rules below are
 * stated over the words, the verdict is made from the structs.
 */
#include "twindock/dock/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UUID_M "18e61a61-6502-6510-8086-0065d1917f97"
#define UUID_T "c54d93c9-6502-6510-8086-7395b84d22d7"
#define UUID_X "0cfdeff4-6502-6510-8086-145408f4e658"
#define SIZE UINT64_C(2000398934016)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { M, T, PAIRS };
static struct td_pair pairs[PAIRS];

static void put(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text);
}

static void enroll(struct td_pair *pair, const char *uuid, const char *name, char mark) {
    *pair = (struct td_pair){.layout = TD_LAYOUT_TWINS, .generation = 7, .intent = 8};
    put(pair->uuid, sizeof(pair->uuid), uuid);
    put(pair->collection, sizeof(pair->collection), name);
    for (int i = 0; i < 2; i++) {
        struct td_member *member = &pair->members[i];
        member->letter = "AB"[i];
        member->size = SIZE;
        member->generation = 7;
        snprintf(member->token, sizeof(member->token), "%c%c000000000000000000000000000000", mark, "ab"[i]);
        member->identity.source = TD_IDENTITY_ATA;
        snprintf(member->identity.serial, sizeof(member->identity.serial), "WD-%c%c", mark, "AB"[i]);
    }
}

static int enroll_all(void **state) {
    (void)state;
    enroll(&pairs[M], UUID_M, "M", '0');
    enroll(&pairs[T], UUID_T, "Tb", '1');
    return 0;
}

/* --- building disks ------------------------------------------------------------------------------------ */

static void build_filesystem(struct td_slot *slot, const char *type, const char *uuid) {
    slot->present = true;
    slot->disk.size = SIZE;
    slot->fs.device.size = SIZE;
    put(slot->fs.type, sizeof(slot->fs.type), type);
    put(slot->fs.uuid, sizeof(slot->fs.uuid), uuid);
    if (strcmp(type, "ext4") != 0)
        return;
    slot->super_read = true;
    put(slot->super.uuid, sizeof(slot->super.uuid), uuid);
    slot->super.inode_size = 256;
    slot->super.block_size = 4096;
    slot->super.compat = 0x3c;
    slot->super.incompat = 0x2c2;
    slot->super.ro_compat = 0x46b;
}

static void build_card(struct td_slot *slot, int pair, int member) {
    slot->card_state = TD_CARD_READ;
    put(slot->card.pair, sizeof(slot->card.pair), pairs[pair].uuid);
    put(slot->card.collection, sizeof(slot->card.collection), pairs[pair].collection);
    slot->card.member = "AB"[member];
    put(slot->card.token, sizeof(slot->card.token), pairs[pair].members[member].token);
    slot->card.layout = pairs[pair].layout;
    slot->card.generation = 7;
}

static void build_drive(struct td_slot *slot, enum td_identity_source source, const char *serial) {
    slot->identity.source = source;
    put(slot->identity.serial, sizeof(slot->identity.serial), serial);
}

/* A true member in perfect order. */
static void build_member(struct td_slot *slot, int pair, int member) {
    build_filesystem(slot, "ext4", pairs[pair].uuid);
    build_card(slot, pair, member);
    slot->identity = pairs[pair].members[member].identity;
}

/* --- the kinds of disk --------------------------------------------------------------------------------- */

/* What is told of the drive: nothing, something worthless, its own name, that name by way of a bridge, or what a bridge
 * has thought up. */
enum drive {
    QUIET,
    BRIDGE,
    LIAR,
    OWN_A,
    OWN_B,
    OWN_T,
    STRANGE_1,
    STRANGE_2,
    PASSED_A,
    PASSED_B,
    INVENTED_1,
    INVENTED_2
};
enum belongs { NOTHING, FOREIGN, TO_M, TO_T };
enum says { NO_CARD, SAYS_A, SAYS_B };
enum fault { SOUND, HURT, AHEAD, LARGE, SMALL, OTHER_LAYOUT };

struct kind {
    const char *name;
    enum belongs belongs; /* by the UUID, which a person trusts only on a disk that is not contradictory */
    enum says says;       /* which member a card with the right token makes it */
    enum drive drive;
    enum fault fault;
    void (*tweak)(struct td_slot *slot); /* what the words above do not build by themselves */
};

static void as_ntfs(struct td_slot *slot) {
    build_filesystem(slot, "ntfs", "0C2F36B52F369F26");
    slot->super_read = false;
}

static void as_blank(struct td_slot *slot) {
    build_filesystem(slot, "", "");
    slot->super_read = false;
}

static void as_table(struct td_slot *slot) {
    as_blank(slot);
    slot->fs.partition_table = true;
}

static void as_unreadable(struct td_slot *slot) {
    as_blank(slot);
    put(slot->problem, sizeof(slot->problem), "cannot read /dev/sdb: Input/output error");
}

static void as_ambivalent(struct td_slot *slot) {
    build_member(slot, M, 0);
    slot->fs.ambivalent = true;
}

static void as_xfs(struct td_slot *slot) {
    build_card(slot, M, 0);
    put(slot->fs.type, sizeof(slot->fs.type), "xfs");
    slot->super_read = false;
}

static void bad_card(struct td_slot *slot) {
    slot->card_state = TD_CARD_BAD;
}

static void unread_card(struct td_slot *slot) {
    slot->card_state = TD_CARD_UNREAD;
}

static void wrong_token(struct td_slot *slot) {
    build_card(slot, M, 0);
    put(slot->card.token, sizeof(slot->card.token), "ffffffffffffffffffffffffffffffff");
}

static void token_of_b(struct td_slot *slot) {
    build_card(slot, M, 0);
    put(slot->card.token, sizeof(slot->card.token), pairs[M].members[1].token);
}

static void card_of_t(struct td_slot *slot) {
    build_card(slot, M, 0);
    put(slot->card.pair, sizeof(slot->card.pair), UUID_T);
}

static void other_super(struct td_slot *slot) {
    build_card(slot, M, 0);
    put(slot->super.uuid, sizeof(slot->super.uuid), UUID_X);
}

static void on_partition(struct td_slot *slot) {
    slot->fs.device.size = SIZE - 1048576;
    slot->fs.partition_table = true;
}

static void upper_case(struct td_slot *slot) {
    for (char *c = slot->fs.uuid; *c != '\0'; c++)
        *c = *c >= 'a' && *c <= 'f' ? (char)(*c - 32) : *c;
}

static void power_cut(struct td_slot *slot) {
    slot->super.needs_recovery = true;
    slot->super.incompat |= 4;
}

static void long_ago(struct td_slot *slot) {
    slot->card.generation = 1;
}

static void at_intent(struct td_slot *slot) {
    slot->card.generation = 8; /* a run noted it, raised the card and died */
}

static void no_super(struct td_slot *slot) {
    slot->super_read = false;
}

static void errors_seen(struct td_slot *slot) {
    slot->super.errors = true;
}

static void encrypted(struct td_slot *slot) {
    slot->super.incompat |= 0x10000;
}

static const struct kind kinds[] = {
    {"empty", NOTHING, NO_CARD, QUIET, SOUND, NULL},
    {"foreign ext4", FOREIGN, NO_CARD, STRANGE_1, SOUND, NULL},
    {"foreign ntfs", FOREIGN, NO_CARD, QUIET, SOUND, as_ntfs},
    {"foreign ntfs behind the liar", FOREIGN, NO_CARD, LIAR, SOUND, as_ntfs},
    {"blank", FOREIGN, NO_CARD, STRANGE_1, SOUND, as_blank},
    {"blank, on A's drive", FOREIGN, NO_CARD, OWN_A, SOUND, as_blank},
    {"partition table only", FOREIGN, NO_CARD, QUIET, SOUND, as_table},
    {"unreadable", FOREIGN, NO_CARD, QUIET, SOUND, as_unreadable},
    {"contradictory signatures", FOREIGN, SAYS_A, OWN_A, SOUND, as_ambivalent},
    {"A", TO_M, SAYS_A, OWN_A, SOUND, NULL},
    {"B", TO_M, SAYS_B, OWN_B, SOUND, NULL},
    {"A on a partition", TO_M, SAYS_A, OWN_A, SOUND, on_partition},
    {"B, UUID in capitals", TO_M, SAYS_B, OWN_B, SOUND, upper_case},
    {"A, silent", TO_M, SAYS_A, QUIET, SOUND, NULL},
    {"B, silent", TO_M, SAYS_B, QUIET, SOUND, NULL},
    {"A behind a bridge", TO_M, SAYS_A, BRIDGE, SOUND, NULL},
    {"B behind a bridge", TO_M, SAYS_B, BRIDGE, SOUND, NULL},
    {"A behind the liar", TO_M, SAYS_A, LIAR, SOUND, NULL},
    {"B behind the liar", TO_M, SAYS_B, LIAR, SOUND, NULL},
    {"A of T", TO_T, SAYS_A, OWN_T, SOUND, NULL},
    {"B of T, silent", TO_T, SAYS_B, QUIET, SOUND, NULL},
    {"clone of A, strange drive", TO_M, SAYS_A, STRANGE_1, SOUND, NULL},
    {"clone of A, another strange drive", TO_M, SAYS_A, STRANGE_2, SOUND, NULL},
    {"clone of B, strange drive", TO_M, SAYS_B, STRANGE_2, SOUND, NULL},
    {"A's card on B's drive", TO_M, SAYS_A, OWN_B, SOUND, NULL},
    {"no card", TO_M, NO_CARD, QUIET, SOUND, NULL},
    {"no card, A's drive", TO_M, NO_CARD, OWN_A, SOUND, NULL},
    {"no card, behind the liar", TO_M, NO_CARD, LIAR, SOUND, NULL},
    {"card unread, strange drive", TO_M, NO_CARD, STRANGE_1, SOUND, unread_card},
    {"bad card", TO_M, NO_CARD, BRIDGE, SOUND, bad_card},
    {"another token", TO_M, NO_CARD, OWN_A, SOUND, wrong_token},
    {"A with B's token", TO_M, NO_CARD, QUIET, SOUND, token_of_b},
    {"card of T", TO_M, NO_CARD, QUIET, SOUND, card_of_t},
    {"superblock of another UUID", TO_M, NO_CARD, QUIET, SOUND, other_super},
    {"xfs with M's UUID", TO_M, NO_CARD, QUIET, SOUND, as_xfs},
    {"T's UUID, no card", TO_T, NO_CARD, STRANGE_2, SOUND, NULL},
    {"A, power cut", TO_M, SAYS_A, OWN_A, SOUND, power_cut},
    {"B, long ago", TO_M, SAYS_B, OWN_B, SOUND, long_ago},
    {"A, at the intent", TO_M, SAYS_A, OWN_A, SOUND, at_intent},
    {"A, errors", TO_M, SAYS_A, OWN_A, HURT, errors_seen},
    {"B, errors, silent", TO_M, SAYS_B, QUIET, HURT, errors_seen},
    {"A, encrypted", TO_M, SAYS_A, QUIET, HURT, encrypted},
    {"B, superblock unread", TO_M, SAYS_B, OWN_B, HURT, no_super},
    {"A, ahead", TO_M, SAYS_A, OWN_A, AHEAD, NULL},
    {"B, ahead, silent", TO_M, SAYS_B, QUIET, AHEAD, NULL},
    {"A, too large", TO_M, SAYS_A, QUIET, LARGE, NULL},
    {"B, too small", TO_M, SAYS_B, OWN_B, SMALL, NULL},
    {"no card, too large", TO_M, NO_CARD, STRANGE_1, LARGE, NULL},
    {"clone of A, too small", TO_M, SAYS_A, STRANGE_1, SMALL, NULL},
    {"A, other layout", TO_M, SAYS_A, OWN_A, OTHER_LAYOUT, NULL},
    {"A, passed on", TO_M, SAYS_A, PASSED_A, SOUND, NULL},
    {"B, passed on", TO_M, SAYS_B, PASSED_B, SOUND, NULL},
    {"A, invented", TO_M, SAYS_A, INVENTED_1, SOUND, NULL},
    {"B, invented", TO_M, SAYS_B, INVENTED_2, SOUND, NULL},
    {"another A, invented", TO_M, SAYS_A, INVENTED_2, SOUND, NULL},
    {"A's card on B's drive, passed on", TO_M, SAYS_A, PASSED_B, SOUND, NULL},
    {"A of T, invented", TO_T, SAYS_A, INVENTED_1, SOUND, NULL},
    {"no card, invented", TO_M, NO_CARD, INVENTED_1, SOUND, NULL},
    {"foreign ntfs, invented", FOREIGN, NO_CARD, INVENTED_2, SOUND, as_ntfs},
    {"foreign ntfs on B's drive, passed on", FOREIGN, NO_CARD, PASSED_B, SOUND, as_ntfs},
    {"A, invented, too large", TO_M, SAYS_A, INVENTED_1, LARGE, NULL},
    {"B, invented, ahead", TO_M, SAYS_B, INVENTED_2, AHEAD, NULL},
    {"B, invented, errors", TO_M, SAYS_B, INVENTED_1, HURT, errors_seen},
};

static void build(struct td_slot *slot, const struct kind *kind) {
    static const struct {
        enum td_identity_source source;
        const char *serial;
    } drives[] = {
        [QUIET] = {TD_IDENTITY_NONE, ""},
        [BRIDGE] = {TD_IDENTITY_UDEV, "0123BRIDGE"},
        [LIAR] = {TD_IDENTITY_SCSI, "LIAR-1"},
        [OWN_A] = {TD_IDENTITY_ATA, "WD-0A"},
        [OWN_B] = {TD_IDENTITY_SCSI, "WD-0B"},
        [OWN_T] = {TD_IDENTITY_ATA, "WD-1A"},
        [STRANGE_1] = {TD_IDENTITY_ATA, "ST-999"},
        [STRANGE_2] = {TD_IDENTITY_SCSI, "ST-888"},
        [PASSED_A] = {TD_IDENTITY_BRIDGE, "WD-0A"},
        [PASSED_B] = {TD_IDENTITY_BRIDGE, "WD-0B"},
        [INVENTED_1] = {TD_IDENTITY_BRIDGE, "DOCK-1"},
        [INVENTED_2] = {TD_IDENTITY_BRIDGE, "DOCK-2"},
    };
    *slot = (struct td_slot){0};
    if (kind->belongs == NOTHING)
        return;
    int pair = kind->belongs == TO_T ? T : M;
    build_filesystem(slot, "ext4", kind->belongs == FOREIGN ? UUID_X : pairs[pair].uuid);
    slot->card_state = TD_CARD_ABSENT;
    if (kind->says != NO_CARD && kind->belongs != FOREIGN)
        build_card(slot, pair, kind->says == SAYS_A ? 0 : 1);
    if (kind->tweak != NULL)
        kind->tweak(slot);
    build_drive(slot, drives[kind->drive].source, drives[kind->drive].serial);
    slot->card.generation += kind->fault == AHEAD ? 2 : 0;
    if (kind->fault == LARGE || kind->fault == SMALL)
        slot->disk.size = slot->fs.device.size = kind->fault == LARGE ? 2 * SIZE : SIZE / 2;
    if (kind->fault == OTHER_LAYOUT)
        slot->card.layout = TD_LAYOUT_MIRRORED;
}

/* --- the rules, as a person would say them --------------------------------------------------------------- */

/* Whose drive it is by its own word, when that word counts: ' ' for nobody's, 'A', 'B', 't', '?' for silence, '~' for
 * what may be a bridge's. */
static char drive_word(const struct kind *kind) {
    static const char words[] = {
        [QUIET] = '?', [BRIDGE] = '?',    [OWN_A] = 'A',     [OWN_B] = 'B',    [OWN_T] = 't',      [PASSED_A] = 'A',
        [LIAR] = ' ',  [STRANGE_1] = ' ', [STRANGE_2] = ' ', [PASSED_B] = 'B', [INVENTED_1] = '~', [INVENTED_2] = '~',
    };
    return words[kind->drive];
}

/* Who the disk is: '-' none, 'f' foreign, 'A' 'B' of M, 'a' 'b' of T, '!' stranger with M's UUID, '%' with T's. */
static char who(const struct kind *kind, bool drives_muted, bool drives_named) {
    if (kind->belongs == NOTHING)
        return '-';
    if (kind->belongs == FOREIGN)
        return 'f';
    bool of_t = kind->belongs == TO_T;
    char outsider = of_t ? '%' : '!';
    if (kind->says == NO_CARD)
        return outsider;
    char claim = kind->says == SAYS_A ? 'A' : 'B';
    char word = drives_muted ? '?' : drive_word(kind);
    if (word == '~') /* where the other slot's drive is called by its name, this one's would be too */
        word = drives_named ? ' ' : '?';
    if (of_t && word == 't')
        word = 'A'; /* the one drive of T that there is in this test is A's */
    else if (of_t && word != '?')
        word = ' ';
    if (word != '?' && word != claim)
        return outsider;
    return of_t ? (char)(claim + 32) : claim;
}

static bool is_one_of(char c, const char *set) {
    return strchr(set, c) != NULL;
}

static enum td_verdict expected(const struct kind *source, const struct kind *destination,
                                const struct td_policy *policy) {
    const struct kind *disks[] = {source, destination};
    char words[] = {drive_word(source), drive_word(destination)};
    bool both = source->belongs != NOTHING && destination->belongs != NOTHING;
    bool one_serial = both && ((source->drive == destination->drive && source->drive != QUIET) ||
                               (words[0] == words[1] && is_one_of(words[0], "ABt")));
    bool named = (source->belongs != NOTHING && is_one_of(words[0], "ABt")) ||
                 (destination->belongs != NOTHING && is_one_of(words[1], "ABt"));
    char s = who(source, one_serial, named), d = who(destination, one_serial, named);
    const char *const members = "ABab";
    bool alone = !both;

    if (s == '-' && d == '-')
        return TD_EMPTY;

    /* Sizes are a member's business; of a disk that is alone and at least bears the UUID also a stranger's. */
    for (int i = 0; i < 2; i++) {
        char it = i == 0 ? s : d;
        bool sized = disks[i]->fault == LARGE || disks[i]->fault == SMALL;
        if (sized && (is_one_of(it, members) || (alone && it == '!')))
            return TD_DOCK_MERGED;
        if (alone && is_one_of(it, members) && words[i] == '~') /* two disks shown as one look so */
            return TD_DOCK_MERGED;
    }
    if (s == d && is_one_of(s, members))
        return TD_DUPLICATE_IDENTITY;
    if (s == d && is_one_of(s, "!%") && one_serial)
        return TD_DUPLICATE_IDENTITY;
    if (s == 'f' || d == 'f')
        return TD_FOREIGN_DISK;
    if (is_one_of(s, "!%") || is_one_of(d, "!%"))
        return TD_UNKNOWN_MEMBER;
    if (!alone && is_one_of(s, "AB") != is_one_of(d, "AB"))
        return TD_MIXED_PAIRS;
    if (alone && !policy->single_allow)
        return TD_MISSING_MEMBER;
    if (!policy->slots_any && (is_one_of(s, "Bb") || is_one_of(d, "Aa")))
        return TD_SWAPPED;
    if (source->fault == OTHER_LAYOUT || destination->fault == OTHER_LAYOUT)
        return TD_WRONG_LAYOUT;
    if (!policy->accept_ahead && (source->fault == AHEAD || destination->fault == AHEAD))
        return TD_AHEAD_OF_LEDGER;
    if (source->fault == HURT || destination->fault == HURT)
        return TD_UNCLEAN;
    return TD_OK;
}

/* --- the tests ----------------------------------------------------------------------------------------- */

static struct td_observation seen;

static struct td_observation *fresh(enum td_mode mode) {
    seen = (struct td_observation){.mode = mode};
    put(seen.dock, sizeof(seen.dock), "server");
    return &seen;
}

static const struct td_policy strict = {.prove_every = 4};

static struct td_judgement judge(const struct td_policy *policy) {
    return td_judge_dock(&seen, pairs, PAIRS, policy);
}

/* Whatever the verdict, the sentence exists, is a sentence, and what may be written to is beyond doubt. */
static void check_sanity(const struct td_judgement *j, const struct td_policy *policy) {
    TD_AUTOBUF struct td_buf text = {0};
    td_advise(&seen, j, &text);
    assert_true(text.len > 20 && text.data[text.len - 1] == '.');
    assert_null(strchr(text.data, '\n'));
    assert_null(strstr(text.data, "  "));
    assert_null(strstr(text.data, ".."));
    if (j->verdict != TD_OK)
        return;
    assert_non_null(j->pair);
    for (int i = 0; i < 2; i++) {
        int s = j->slot_of[i];
        assert_true(s >= 0 || policy->single_allow);
        if (s < 0)
            continue;
        assert_true(policy->slots_any || s == i);
        assert_string_equal(seen.slots[s].card.token, j->pair->members[i].token);
        assert_true(strcasecmp(seen.slots[s].fs.uuid, j->pair->uuid) == 0);
        assert_string_equal(seen.slots[s].fs.type, "ext4");
    }
    assert_true(j->slot_of[0] != j->slot_of[1]);
}

static void test_every_combination(void **state) {
    (void)state;
    unsigned rows = 0, wrong = 0, met[TD_VERDICTS] = {0};
    for (size_t s = 0; s < COUNT(kinds); s++) {
        for (size_t d = 0; d < COUNT(kinds); d++) {
            for (int options = 0; options < 8; options++) {
                const struct td_policy policy = {options & 1, options & 2, options & 4, 4};
                fresh(TD_MODE_INDIVIDUAL);
                build(&seen.slots[0], &kinds[s]);
                build(&seen.slots[1], &kinds[d]);
                struct td_judgement j = judge(&policy);
                enum td_verdict want = expected(&kinds[s], &kinds[d], &policy);
                rows++;
                met[want]++;
                if (j.verdict != want && wrong++ < 20)
                    print_error("[%s] [%s] any=%d single=%d ahead=%d: %s, expected %s\n", kinds[s].name, kinds[d].name,
                                policy.slots_any, policy.single_allow, policy.accept_ahead, td_verdict_name(j.verdict),
                                td_verdict_name(want));
                check_sanity(&j, &policy);
            }
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(rows, COUNT(kinds) * COUNT(kinds) * 8);
    static const enum td_verdict reachable[] = {
        TD_EMPTY,          TD_DOCK_MERGED, TD_DUPLICATE_IDENTITY, TD_FOREIGN_DISK,    TD_UNKNOWN_MEMBER, TD_MIXED_PAIRS,
        TD_MISSING_MEMBER, TD_SWAPPED,     TD_WRONG_LAYOUT,       TD_AHEAD_OF_LEDGER, TD_UNCLEAN,        TD_OK};
    for (size_t i = 0; i < COUNT(reachable); i++)
        assert_true(met[reachable[i]] > 0);
}

static const struct kind *kind(const char *name) {
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    fail_msg("no kind %s", name);
    return NULL;
}

static struct td_judgement dock(const char *source, const char *destination) {
    fresh(TD_MODE_INDIVIDUAL);
    build(&seen.slots[0], kind(source));
    build(&seen.slots[1], kind(destination));
    return judge(&strict);
}

/* The rows that matter most, by hand and one by one: no rule can be wrong in both places unnoticed. */
static void test_main_rows(void **state) {
    (void)state;
    static const struct {
        const char *source, *destination;
        enum td_verdict verdict;
        int slot;
    } rows[] = {
        {"empty", "empty", TD_EMPTY, -1},
        {"A", "B", TD_OK, -1},
        {"A, silent", "B, silent", TD_OK, -1},
        {"A behind the liar", "B behind the liar", TD_OK, -1},
        {"A behind a bridge", "B behind a bridge", TD_OK, -1},
        {"B", "A", TD_SWAPPED, -1},
        {"A", "empty", TD_MISSING_MEMBER, 0},
        {"empty", "B", TD_MISSING_MEMBER, 1},
        {"A", "foreign ntfs", TD_FOREIGN_DISK, 1},
        {"foreign ext4", "B", TD_FOREIGN_DISK, 0},
        {"blank", "partition table only", TD_FOREIGN_DISK, -1},
        {"A", "clone of A, strange drive", TD_UNKNOWN_MEMBER, 1},
        {"A", "clone of B, strange drive", TD_UNKNOWN_MEMBER, 1},
        {"A, silent", "A behind a bridge", TD_DUPLICATE_IDENTITY, -1},
        {"A", "A, silent", TD_DUPLICATE_IDENTITY, -1},
        {"A behind the liar", "A behind the liar", TD_DUPLICATE_IDENTITY, -1},
        {"A behind the liar", "B, silent", TD_UNKNOWN_MEMBER, 0},
        {"A", "A of T", TD_MIXED_PAIRS, -1},
        {"A", "no card", TD_UNKNOWN_MEMBER, 1},
        {"xfs with M's UUID", "B", TD_UNKNOWN_MEMBER, 0},
        {"A, ahead", "B", TD_AHEAD_OF_LEDGER, 0},
        {"A, at the intent", "B, long ago", TD_OK, -1},
        {"A, power cut", "B", TD_OK, -1},
        {"A, errors", "B", TD_UNCLEAN, 0},
        {"A, too large", "empty", TD_DOCK_MERGED, 0},
        {"empty", "B, too small", TD_DOCK_MERGED, 1},
        {"no card, too large", "empty", TD_DOCK_MERGED, 0},
        {"A, other layout", "B", TD_WRONG_LAYOUT, 0},
        {"A, passed on", "B, passed on", TD_OK, -1},
        {"A, invented", "B, invented", TD_OK, -1},
        {"A, invented", "B, silent", TD_OK, -1},
        {"B, invented", "A, invented", TD_SWAPPED, -1},
        {"A, invented", "another A, invented", TD_DUPLICATE_IDENTITY, -1},
        {"A, invented", "B, passed on", TD_UNKNOWN_MEMBER, 0},
        {"A, invented", "B", TD_UNKNOWN_MEMBER, 0},
        {"A, invented", "empty", TD_DOCK_MERGED, 0},
        {"empty", "B, invented", TD_DOCK_MERGED, 1},
        {"A's card on B's drive, passed on", "B, silent", TD_UNKNOWN_MEMBER, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct td_judgement j = dock(rows[i].source, rows[i].destination);
        if (j.verdict != rows[i].verdict || j.slot != rows[i].slot)
            fail_msg("[%s] [%s]: %s, slot %d", rows[i].source, rows[i].destination, td_verdict_name(j.verdict), j.slot);
    }
}

static void test_two_slots_one_disk(void **state) {
    (void)state;
    dock("A", "A");
    seen.one_device = true;
    assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
    dock("foreign ext4", "foreign ext4");
    seen.one_device = true;
    assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
}

static void test_judgement_names_pair_and_members(void **state) {
    (void)state;
    struct td_judgement j = dock("B", "A");
    assert_ptr_equal(j.pair, &pairs[M]);
    assert_int_equal(j.slot_of[0], 1);
    assert_int_equal(j.slot_of[1], 0);
    j = dock("foreign ntfs", "A of T");
    assert_ptr_equal(j.pair, &pairs[T]);
    assert_int_equal(j.slot_of[0], 1);
    assert_int_equal(j.slot_of[1], -1);
    assert_int_equal(j.slots[0].match, TD_MATCH_NONE);
    j = dock("A", "A of T");
    assert_null(j.pair);
    assert_int_equal(j.slot_of[0], -1);
    j = dock("T's UUID, no card", "A");
    assert_ptr_equal(j.pair, &pairs[T]);
    assert_int_equal(j.slots[0].match, TD_MATCH_PAIR);
    j = dock("empty", "empty");
    assert_null(j.pair);
    /* A duplicate is named once. */
    j = dock("A, silent", "A behind a bridge");
    assert_int_equal(j.slot_of[0], 0);
    assert_int_equal(j.slot_of[1], -1);
}

static void test_recognition_rests_on(void **state) {
    (void)state;
    struct td_judgement j = dock("A", "B, silent");
    assert_string_equal(j.slots[0].rests_on, "drive+card");
    assert_string_equal(j.slots[1].rests_on, "card");
    j = dock("A behind the liar", "B behind the liar");
    assert_string_equal(j.slots[0].rests_on, "card");
    j = dock("A behind a bridge", "no card");
    assert_string_equal(j.slots[0].rests_on, "card");
    assert_string_equal(j.slots[1].rests_on, "");
    assert_string_equal(j.slots[1].why, "it has no card");
    /* Alone, what it says by itself: the liar's serial is not the enrolled one. */
    fresh(TD_MODE_INDIVIDUAL);
    build(&seen.slots[0], kind("A behind the liar"));
    assert_int_equal(td_match_slot(&seen.slots[0], pairs, PAIRS).match, TD_MATCH_PAIR);
}

/* Enrolled behind the liar: the ledger has its serial for both, which must not make strangers of them elsewhere. */
static void test_pair_enrolled_behind_the_liar(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++)
        put(pairs[M].members[i].identity.serial, sizeof(pairs[M].members[i].identity.serial), "LIAR-1");
    assert_int_equal(dock("A", "B").verdict, TD_OK);
    assert_int_equal(dock("A behind the liar", "B behind the liar").verdict, TD_OK);
    assert_int_equal(dock("A behind the liar", "empty").verdict, TD_MISSING_MEMBER);
    assert_int_equal(dock("A", "no card").verdict, TD_UNKNOWN_MEMBER);
    enroll_all(NULL);
}

static void test_member_that_is_not_enrolled(void **state) {
    (void)state;
    struct td_member gone = pairs[M].members[1];
    pairs[M].members[1] = (struct td_member){0};
    assert_int_equal(dock("A", "B").verdict, TD_UNKNOWN_MEMBER);
    assert_int_equal(dock("A", "empty").verdict, TD_MISSING_MEMBER);
    /* A card without a token is nobody's, whatever the ledger lacks. */
    dock("A", "B");
    seen.slots[1].card.token[0] = '\0';
    assert_int_equal(judge(&strict).verdict, TD_UNKNOWN_MEMBER);
    pairs[M].members[1] = gone;
    pairs[M].members[1].token[0] = '\0';
    assert_int_equal(judge(&strict).verdict, TD_UNKNOWN_MEMBER);
    pairs[M].members[1] = gone;
    assert_int_equal(td_judge_dock(&seen, NULL, 0, &strict).verdict, TD_FOREIGN_DISK);
}

static void test_sizes(void **state) {
    (void)state;
    /* The size that was enrolled may be the partition's or the disk's. */
    dock("A", "B");
    seen.slots[0].disk.size = SIZE + 4096;
    assert_int_equal(judge(&strict).verdict, TD_OK);
    /* Of two disks, one of the wrong size is refused too. */
    seen.slots[0].fs.device.size = SIZE + 4096;
    struct td_judgement j = judge(&strict);
    assert_int_equal(j.verdict, TD_DOCK_MERGED);
    assert_int_equal(j.slot, 0);
    /* A ledger without sizes judges none. */
    pairs[M].members[0].size = 0;
    assert_int_equal(judge(&strict).verdict, TD_OK);
    /* Members need not be of one size: a lone stranger as large as either is no merged dock. */
    pairs[M].members[0].size = SIZE / 2;
    assert_int_equal(dock("no card", "empty").verdict, TD_UNKNOWN_MEMBER);
    assert_int_equal(dock("no card, too large", "empty").verdict, TD_DOCK_MERGED);
    /* The member that is not enrolled has no say. */
    pairs[M].members[1] = (struct td_member){0};
    assert_int_equal(dock("no card", "empty").verdict, TD_DOCK_MERGED);
    enroll_all(NULL);
}

/* --- mirror mode --------------------------------------------------------------------------------------- */

static void test_twins_are_never_mirrored(void **state) {
    (void)state;
    const struct td_policy lax = {true, true, true, 0};
    for (int member = 0; member < 2; member++) {
        fresh(TD_MODE_MIRROR);
        build_member(&seen.slots[0], M, member);
        assert_int_equal(judge(&strict).verdict, TD_WRONG_LAYOUT);
        assert_int_equal(judge(&lax).verdict, TD_WRONG_LAYOUT);
    }
}

/* Whatever is known of them: what such a dock says of the drives behind it is its own affair. */
static void test_twins_are_never_mirrored_whoever_they_are(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct kind *it = &kinds[i];
        fresh(TD_MODE_MIRROR);
        build(&seen.slots[0], it);
        bool sized = it->fault == LARGE || it->fault == SMALL;
        enum td_verdict want = it->belongs == NOTHING   ? TD_EMPTY
                               : it->belongs == FOREIGN ? TD_FOREIGN_DISK
                               : sized                  ? TD_DOCK_MERGED
                                                        : TD_WRONG_LAYOUT;
        struct td_judgement j = judge(&strict);
        if (j.verdict != want)
            fail_msg("[%s]: %s, expected %s", it->name, td_verdict_name(j.verdict), td_verdict_name(want));
        check_sanity(&j, &strict);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_main_rows),
        cmocka_unit_test(test_two_slots_one_disk),
        cmocka_unit_test(test_judgement_names_pair_and_members),
        cmocka_unit_test(test_recognition_rests_on),
        cmocka_unit_test(test_pair_enrolled_behind_the_liar),
        cmocka_unit_test(test_member_that_is_not_enrolled),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_twins_are_never_mirrored),
        cmocka_unit_test(test_twins_are_never_mirrored_whoever_they_are),
    };
    return cmocka_run_group_tests(tests, enroll_all, NULL);
}
