/* dock/verdict.h: one drive through many docks. What a bridge passes on is the drive's word; what it has thought up is
 * nobody's; and a copy must not profit from either. */
#include "twindock/dock/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UUID "18e61a61-6502-6510-8086-0065d1917f97"

static struct td_pair pair;
static struct td_observation seen;

#define TEXT(out, text) snprintf((out), sizeof(out), "%s", (text))

static struct td_identity told(enum td_identity_source source, const char *serial, const char *wwn) {
    struct td_identity out = {.source = source};
    TEXT(out.serial, serial);
    TEXT(out.wwn, wwn);
    return out;
}

static int setup(void **state) {
    (void)state;
    seen = (struct td_observation){.dock = "server"};
    pair = (struct td_pair){.layout = TD_LAYOUT_TWINS};
    TEXT(pair.uuid, UUID);
    TEXT(pair.collection, "M");
    for (int i = 0; i < 2; i++) {
        struct td_member *m = &pair.members[i];
        m->letter = "AB"[i];
        snprintf(m->token, sizeof(m->token), "token-%d", i);
    }
    pair.members[0].identity = told(TD_IDENTITY_ATA, "WD-WCC4M7", "0x50014ee2000000a0");
    pair.members[1].identity = told(TD_IDENTITY_ATA, "WD-WCC4N0", "0x50014ee2000000b0");
    TEXT(pair.members[0].identity.model, "WDC WD20EFRX");
    TEXT(pair.members[1].identity.model, "WDC WD20EFZX");
    return 0;
}

/* The disk with a member's card, of which the dock tells this. */
static struct td_slot *put(int slot, int member, struct td_identity identity) {
    struct td_slot *s = &seen.slots[slot];
    *s = (struct td_slot){.present = true, .super_read = true, .card_state = TD_CARD_READ};
    s->super = (struct td_ext4){.compat = 0x3c, .incompat = 0x2c2, .ro_compat = 0x46b, .inode_size = 256};
    TEXT(s->fs.type, "ext4");
    TEXT(s->fs.uuid, UUID);
    TEXT(s->super.uuid, UUID);
    s->card.member = "AB"[member];
    TEXT(s->card.pair, UUID);
    TEXT(s->card.token, pair.members[member].token);
    s->identity = identity;
    return s;
}

static struct td_judgement judge(bool single) {
    const struct td_policy policy = {.single_allow = single, .prove_every = 4};
    return td_judge_dock(&seen, &pair, 1, &policy);
}

static enum td_verdict verdict(void) {
    return judge(false).verdict;
}

static enum td_drive_word word(enum td_identity_source source, const char *serial, const char *wwn) {
    const struct td_identity identity = told(source, serial, wwn);
    return td_drive_word(&identity, &pair, 0);
}

static void test_wwn_decides_without_serials(void **state) {
    (void)state;
    pair.members[0].identity.serial[0] = '\0';
    put(0, 0, pair.members[0].identity);
    put(1, 1, pair.members[1].identity);
    struct td_judgement j = judge(false);
    assert_int_equal(j.verdict, TD_OK);
    assert_string_equal(j.slots[0].rests_on, "drive+card");
    put(0, 0, told(TD_IDENTITY_ATA, "", "0x50014ee2000000a1"));
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
    /* A serial where the ledger has only a WWN contradicts nothing. */
    put(0, 0, told(TD_IDENTITY_ATA, "WD-77", ""));
    assert_int_equal(verdict(), TD_OK);
    /* One WWN in both bays is a bridge's, and the cards decide. */
    put(0, 0, told(TD_IDENTITY_ATA, "WD-1", "0x1"));
    put(1, 1, told(TD_IDENTITY_ATA, "WD-2", "0x1"));
    assert_int_equal(verdict(), TD_OK);
}

static void test_what_a_bridge_passes_on(void **state) {
    (void)state;
    enum td_identity_source bridge = TD_IDENTITY_BRIDGE;
    /* In capitals or not, without the maker's prefix, and as the words of ATA lie in memory, padded on either side. */
    static const char *const same[] = {"WD-WCC4M7", "wd-wcc4m7", "WCC4M7", "DWW-CCM4 7", "W -DCW4C7M"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(word(bridge, same[i], ""), TD_DRIVE_SAME);
    assert_int_equal(word(bridge, "DWW-CC4M7", ""), TD_DRIVE_UNSURE);
    assert_int_equal(word(bridge, "WD-WCC4M", ""), TD_DRIVE_UNSURE);
    assert_int_equal(word(TD_IDENTITY_ATA, "WCC4M7", ""), TD_DRIVE_OTHER); /* a drive says its own name in full */
    assert_int_equal(word(TD_IDENTITY_SCSI, "WD-WCC4M8", ""), TD_DRIVE_OTHER);
    assert_int_equal(word(TD_IDENTITY_NVME, "WD-WCC4M8", ""), TD_DRIVE_OTHER);
    assert_int_equal(word(bridge, "DOCK-1", ""), TD_DRIVE_UNSURE);
    assert_int_equal(word(bridge, "DOCK-1", "0x50014ee2000000a0"), TD_DRIVE_SAME); /* its page 0x83 is the drive's */
    assert_int_equal(word(bridge, "DOCK-1", "0x50014ee2000000b0"), TD_DRIVE_OTHER);
    assert_int_equal(word(bridge, "WD-WCC4N0", ""), TD_DRIVE_OTHER); /* that is B */
    assert_int_equal(word(bridge, "", "0x50014ee2000000a1"), TD_DRIVE_UNSURE);
    assert_int_equal(word(bridge, "", ""), TD_DRIVE_SILENT);
    assert_int_equal(word(TD_IDENTITY_UDEV, "WD-WCC4M7", ""), TD_DRIVE_SILENT);
    pair.members[0].identity.source = bridge; /* then the WWN may be the bridge's own */
    assert_int_equal(word(bridge, "WD-WCC4M8", "0x50014ee2000000a0"), TD_DRIVE_UNSURE);
    assert_int_equal(word(TD_IDENTITY_ATA, "WD-WCC4M8", ""), TD_DRIVE_UNSURE);
}

/* Enrolled where the drives spoke, then put into a dock that tells serials of its own. */
static void test_a_dock_that_invents(void **state) {
    (void)state;
    put(0, 0, told(TD_IDENTITY_BRIDGE, "DOCK-1", ""));
    put(1, 1, told(TD_IDENTITY_BRIDGE, "DOCK-2", ""));
    struct td_judgement j = judge(false);
    assert_int_equal(j.verdict, TD_OK);
    assert_string_equal(j.slots[0].rests_on, "card");
    assert_true(j.slots[0].bridged && j.slots[1].bridged);
    /* What is not on a card of this pair does not come in by that. */
    put(0, 0, told(TD_IDENTITY_BRIDGE, "DOCK-1", ""))->card.token[0] = 'x';
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
    put(0, 0, told(TD_IDENTITY_BRIDGE, "DOCK-1", ""))->card_state = TD_CARD_ABSENT;
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
    put(0, 1, told(TD_IDENTITY_BRIDGE, "DOCK-1", ""));
    assert_int_equal(verdict(), TD_DUPLICATE_IDENTITY);
}

/* A copy of A beside B, in a dock that passes serials on: as B's is known, the other one is the copy's own. */
static void test_a_copy_is_a_copy(void **state) {
    (void)state;
    static const enum td_identity_source sources[] = {TD_IDENTITY_BRIDGE, TD_IDENTITY_ATA, TD_IDENTITY_SCSI};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        put(0, 0, told(sources[i], "ST-COPY", ""));
        put(1, 1, told(sources[i], "WD-WCC4N0", ""));
        struct td_judgement j = judge(false);
        assert_int_equal(j.verdict, TD_UNKNOWN_MEMBER);
        assert_int_equal(j.slot, 0);
        put(1, 1, told(TD_IDENTITY_NONE, "", ""));
        assert_int_equal(verdict(), sources[i] == TD_IDENTITY_BRIDGE ? TD_OK : TD_UNKNOWN_MEMBER);
    }
    /* The same in a ledger that knows the drives by way of a bridge, and by a drive's own word. */
    pair.members[0].identity.source = pair.members[1].identity.source = TD_IDENTITY_BRIDGE;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        put(0, 0, told(sources[i], "ST-COPY", ""));
        put(1, 1, told(sources[i], "WD-WCC4N0", ""));
        assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
    }
    /* A's card on B's drive: somebody's dock has copied A over B. */
    seen.slots[1] = (struct td_slot){0};
    put(0, 0, told(TD_IDENTITY_BRIDGE, "WD-WCC4N0", ""));
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
}

/* Enrolled in a dock that told serials of its own, which the drives themselves know nothing of. */
static void test_enrolled_where_a_dock_invents(void **state) {
    (void)state;
    pair.members[0].identity = told(TD_IDENTITY_BRIDGE, "DOCK-1", "");
    pair.members[1].identity = told(TD_IDENTITY_BRIDGE, "DOCK-2", "");
    put(0, 0, told(TD_IDENTITY_ATA, "WD-WCC4M7", ""));
    put(1, 1, told(TD_IDENTITY_ATA, "WD-WCC4N0", ""));
    struct td_judgement j = judge(false);
    assert_int_equal(j.verdict, TD_OK);
    assert_string_equal(j.slots[0].rests_on, "card");
    seen.slots[1] = (struct td_slot){0}; /* alone, nothing but its card speaks for it and its drive against it */
    assert_int_equal(judge(true).verdict, TD_UNKNOWN_MEMBER);
    put(0, 0, told(TD_IDENTITY_BRIDGE, "DOCK-3", ""));
    put(1, 1, told(TD_IDENTITY_BRIDGE, "DOCK-4", "")); /* another such dock */
    assert_int_equal(verdict(), TD_OK);
}

/* A dock that mirrors, configured as one that does not: it shows one disk, which must not be taken for a twin alone. */
static void test_one_disk_that_may_be_two(void **state) {
    (void)state;
    put(0, 0, told(TD_IDENTITY_BRIDGE, "JOCKEY-1", ""));
    for (int single = 0; single < 2; single++) {
        struct td_judgement j = judge(single);
        assert_int_equal(j.verdict, TD_DOCK_MERGED);
        assert_true(j.hidden);
        assert_int_equal(j.slot_of[0], 0);
    }
    put(0, 0, told(TD_IDENTITY_BRIDGE, "WD-WCC4M7", "")); /* a dock that passes on whom it reads from cannot be told */
    assert_int_equal(judge(false).verdict, TD_MISSING_MEMBER);
    assert_int_equal(judge(true).verdict, TD_OK);
    assert_false(judge(true).hidden);
    /* As a drive of its own model: over eSATA such a dock answers IDENTIFY DEVICE itself. */
    put(0, 0, told(TD_IDENTITY_ATA, "0000JOCKEY", ""))->card_state = TD_CARD_UNREAD;
    TEXT(seen.slots[0].identity.model, "H/W RAID1");
    assert_int_equal(judge(true).verdict, TD_DOCK_MERGED);
    TEXT(seen.slots[0].identity.model, "WDC WD20EFZX"); /* as B's: a copy on such a drive */
    assert_int_equal(judge(true).verdict, TD_UNKNOWN_MEMBER);
    TEXT(seen.slots[0].identity.model, "H/W RAID1");
    pair.members[1].identity.model[0] = '\0'; /* B's may be called so */
    assert_int_equal(judge(true).verdict, TD_UNKNOWN_MEMBER);
    pair.members[1] = (struct td_member){0}; /* retired: it cannot be that */
    assert_int_equal(judge(true).verdict, TD_DOCK_MERGED);
    put(1, 0, told(TD_IDENTITY_NONE, "", "")); /* beside another disk it is a copy, whatever its model */
    assert_int_equal(judge(true).verdict, TD_UNKNOWN_MEMBER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wwn_decides_without_serials, setup),
        cmocka_unit_test_setup(test_what_a_bridge_passes_on, setup),
        cmocka_unit_test_setup(test_a_dock_that_invents, setup),
        cmocka_unit_test_setup(test_a_copy_is_a_copy, setup),
        cmocka_unit_test_setup(test_enrolled_where_a_dock_invents, setup),
        cmocka_unit_test_setup(test_one_disk_that_may_be_two, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
