/* dock/verdict.h: the halves of a mirrored pair, and disks that a dock has combined. */
#include "twindock/dock/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UUID_M "18e61a61-6502-6510-8086-0065d1917f97"
#define TOKEN_M "0a000000000000000000000000000000"
#define SIZE UINT64_C(2000398934016)

enum { M, PAIRS };
static struct td_pair pairs[PAIRS];
static struct td_observation seen;
static const struct td_policy strict = {.prove_every = 4};

static void put(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text);
}

/* One card, two drives. */
static int enroll_all(void **state) {
    (void)state;
    pairs[M] = (struct td_pair){.layout = TD_LAYOUT_MIRRORED, .generation = 7, .intent = 8};
    put(pairs[M].uuid, sizeof(pairs[M].uuid), UUID_M);
    put(pairs[M].collection, sizeof(pairs[M].collection), "M");
    for (int i = 0; i < 2; i++) {
        struct td_member *member = &pairs[M].members[i];
        *member = (struct td_member){.letter = "AB"[i], .size = SIZE, .generation = 7};
        put(member->token, sizeof(member->token), TOKEN_M);
        member->identity.source = TD_IDENTITY_ATA;
        put(member->identity.serial, sizeof(member->identity.serial), i == 0 ? "WD-0A" : "WD-0B");
    }
    return 0;
}

static void fresh(enum td_mode mode) {
    seen = (struct td_observation){.mode = mode};
    put(seen.dock, sizeof(seen.dock), "server");
}

/* The half that is `member` by its drive, in perfect order. */
static void build_half(struct td_slot *slot, int member) {
    *slot = (struct td_slot){.present = true, .super_read = true, .card_state = TD_CARD_READ};
    slot->disk.size = slot->fs.device.size = SIZE;
    put(slot->fs.type, sizeof(slot->fs.type), "ext4");
    put(slot->fs.uuid, sizeof(slot->fs.uuid), UUID_M);
    put(slot->super.uuid, sizeof(slot->super.uuid), UUID_M);
    slot->super.inode_size = 256;
    slot->super.block_size = 4096;
    slot->super.compat = 0x3c;
    slot->super.incompat = 0x2c2;
    slot->super.ro_compat = 0x46b;
    slot->card = (struct td_card){.member = 'A', .layout = TD_LAYOUT_MIRRORED, .generation = 7};
    put(slot->card.pair, sizeof(slot->card.pair), UUID_M);
    put(slot->card.collection, sizeof(slot->card.collection), "M");
    put(slot->card.token, sizeof(slot->card.token), TOKEN_M);
    slot->identity = pairs[M].members[member].identity;
}

static struct td_judgement judge(const struct td_policy *policy) {
    return td_judge_dock(&seen, pairs, PAIRS, policy);
}

static struct td_judgement mirror(int member, int64_t generation) {
    fresh(TD_MODE_MIRROR);
    build_half(&seen.slots[0], member);
    seen.slots[0].card.generation = generation;
    return judge(&strict);
}

static struct td_judgement one_by_one(int source, int destination) {
    fresh(TD_MODE_INDIVIDUAL);
    build_half(&seen.slots[0], source);
    build_half(&seen.slots[1], destination);
    return judge(&strict);
}

/* Drives that tell, one that does, none. */
static void test_halves_one_by_one(void **state) {
    (void)state;
    struct td_judgement j = one_by_one(0, 1);
    assert_int_equal(j.verdict, TD_WRONG_LAYOUT);
    assert_string_equal(j.slots[1].rests_on, "drive+card");
    assert_int_equal(j.slot_of[0], 0);
    assert_int_equal(j.slot_of[1], 1);
    assert_int_equal(one_by_one(1, 0).verdict, TD_SWAPPED);
    seen.slots[0].identity = (struct td_identity){0}; /* the other one than that which is told */
    j = judge(&strict);
    assert_int_equal(j.slot_of[0], 1);
    assert_int_equal(j.slot_of[1], 0);
    seen.slots[1].identity = (struct td_identity){0}; /* none is: the source slot's is A */
    j = judge(&strict);
    assert_int_equal(j.verdict, TD_WRONG_LAYOUT);
    assert_int_equal(j.slot_of[0], 0);
    assert_int_equal(j.slot_of[1], 1);
    assert_string_equal(j.slots[0].rests_on, "card");
    one_by_one(0, 0);
    assert_int_equal(judge(&strict).verdict, TD_DUPLICATE_IDENTITY);
}

/* The card of a pair that was only compared so far is due, and counts. */
static void test_card_that_is_due(void **state) {
    (void)state;
    pairs[M].generation = pairs[M].intent = pairs[M].members[0].generation = pairs[M].members[1].generation = 0;
    mirror(0, 0);
    seen.slots[0].card_state = TD_CARD_DUE;
    assert_int_equal(judge(&strict).verdict, TD_OK);
    seen.slots[0].card_state = TD_CARD_ABSENT;
    assert_int_equal(judge(&strict).verdict, TD_UNKNOWN_MEMBER);
    enroll_all(NULL);
}

static void test_in_mirror_mode(void **state) {
    (void)state;
    assert_int_equal(mirror(0, 7).verdict, TD_OK);
    assert_int_equal(mirror(1, 7).verdict, TD_OK); /* by turns, on purpose */
    assert_int_equal(mirror(0, 6).verdict, TD_STALE_SOURCE);
    assert_int_equal(mirror(0, 9).verdict, TD_AHEAD_OF_LEDGER);
    pairs[M].members[1].generation = 4;
    assert_int_equal(mirror(0, 7).verdict, TD_OK);
    pairs[M].members[1].generation = 3;
    assert_int_equal(mirror(0, 7).verdict, TD_UNPROVEN_PAIR);
    assert_int_equal(mirror(1, 7).verdict, TD_OK);
    mirror(0, 7);
    seen.slots[0].disk.size = seen.slots[0].fs.device.size = 2 * SIZE;
    assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
    enroll_all(NULL);
}

/* Most such docks have a serial of their own when they mirror. The one card decides; one by one, it is not enough. */
static void test_dock_with_a_serial_of_its_own(void **state) {
    (void)state;
    static const struct td_identity own = {.source = TD_IDENTITY_BRIDGE, .serial = "JOCKEY-1"};
    mirror(1, 7);
    seen.slots[0].identity = own;
    struct td_judgement j = judge(&strict);
    assert_int_equal(j.verdict, TD_OK);
    assert_string_equal(j.slots[0].rests_on, "card");
    mirror(1, 6);
    seen.slots[0].identity = own;
    assert_int_equal(judge(&strict).verdict, TD_STALE_SOURCE);
    one_by_one(0, 1);
    seen.slots[1].identity = own; /* A's serial is passed on, B's would be */
    assert_int_equal(judge(&strict).verdict, TD_UNKNOWN_MEMBER);
    seen.slots[0].identity = own;
    seen.slots[0].identity.serial[7] = '0';
    j = judge(&strict);
    assert_int_equal(j.verdict, TD_WRONG_LAYOUT);
    assert_int_equal(j.slot_of[0], 0);
    assert_int_equal(j.slot_of[1], 1);
}

/* Made in a dock that mirrors: of B's drive nothing is known, so what is not A's is taken for B's. */
static void test_half_of_unknown_drive(void **state) {
    (void)state;
    struct td_identity of_b = pairs[M].members[1].identity;
    pairs[M].members[1].identity = (struct td_identity){0};
    assert_int_equal(mirror(0, 7).verdict, TD_OK);
    seen.slots[0].identity = of_b;
    struct td_judgement j = judge(&strict);
    assert_int_equal(j.verdict, TD_OK);
    assert_int_equal(j.slot_of[1], 0);
    assert_string_equal(j.slots[0].rests_on, "card");
    pairs[M].members[1].identity = of_b; /* once it is known, no other drive will do */
    put(seen.slots[0].identity.serial, sizeof(seen.slots[0].identity.serial), "WD-OTHER");
    seen.slots[0].identity.wwn[0] = '\0';
    assert_int_equal(judge(&strict).verdict, TD_UNKNOWN_MEMBER);
    enroll_all(NULL);
}

static void test_halves_that_differ(void **state) {
    (void)state;
    mirror(0, 7);
    pairs[M].differs = 12;
    const struct td_policy never = {.prove_every = 0};
    assert_int_equal(judge(&strict).verdict, TD_UNPROVEN_PAIR);
    assert_int_equal(judge(&never).verdict, TD_UNPROVEN_PAIR);
    seen.slots[0].card.generation = 6;
    assert_int_equal(judge(&strict).verdict, TD_STALE_SOURCE);
    pairs[M].differs = 0;
    enroll_all(NULL);
}

/* A dock that mirrors shows what fits on both disks. */
static void test_sizes_of_halves(void **state) {
    (void)state;
    mirror(0, 7);
    pairs[M].members[1].size = SIZE + SIZE / 4;
    seen.slots[0].disk.size = seen.slots[0].fs.device.size = SIZE - 4096;
    assert_int_equal(judge(&strict).verdict, TD_OK);
    seen.slots[0].disk.size = seen.slots[0].fs.device.size = SIZE + SIZE / 4;
    assert_int_equal(judge(&strict).verdict, TD_OK);
    seen.slots[0].disk.size = seen.slots[0].fs.device.size = 2 * SIZE + SIZE / 4;
    assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
    enroll_all(NULL);
}

/* Two disks of a pair combined the wrong way round show one disk on which nothing is known. */
static void test_combined_disks(void **state) {
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        fresh(mode == 0 ? TD_MODE_INDIVIDUAL : TD_MODE_MIRROR);
        seen.slots[0] = (struct td_slot){.present = true};
        seen.slots[0].disk.size = 2 * SIZE - SIZE / 100;
        assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
        seen.slots[0].disk.size = 2 * SIZE + SIZE / 100;
        assert_int_equal(judge(&strict).verdict, TD_DOCK_MERGED);
        seen.slots[0].disk.size = 2 * SIZE - SIZE / 10;
        assert_int_equal(judge(&strict).verdict, TD_FOREIGN_DISK);
    }
    fresh(TD_MODE_INDIVIDUAL); /* beside another disk it is just large */
    seen.slots[0] = (struct td_slot){.present = true};
    seen.slots[0].disk.size = 2 * SIZE;
    build_half(&seen.slots[1], 1);
    assert_int_equal(judge(&strict).verdict, TD_FOREIGN_DISK);
    enroll_all(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_one_by_one),     cmocka_unit_test(test_card_that_is_due),
        cmocka_unit_test(test_half_of_unknown_drive), cmocka_unit_test(test_halves_that_differ),
        cmocka_unit_test(test_sizes_of_halves),       cmocka_unit_test(test_combined_disks),
        cmocka_unit_test(test_in_mirror_mode),        cmocka_unit_test(test_dock_with_a_serial_of_its_own),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, enroll_all, NULL);
}
