/* dock/verdict.h: whose drive a disk is on which nothing says so. */
#include "twindock/dock/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SIZE UINT64_C(2000398934016)

static struct td_pair pairs[2];
static struct td_observation seen;

static void name(struct td_identity *identity, enum td_identity_source source, const char *serial) {
    *identity = (struct td_identity){.source = source};
    snprintf(identity->serial, sizeof(identity->serial), "%s", serial);
}

static int setup(void **state) {
    static const char *const serials[2][2] = {{"WD-A", "WD-B"}, {"ST-A", "ST-B"}};
    (void)state;
    for (int p = 0; p < 2; p++) {
        pairs[p] = (struct td_pair){.layout = TD_LAYOUT_TWINS};
        snprintf(pairs[p].uuid, sizeof(pairs[p].uuid), "18e61a61-6502-6510-8086-0065d1917f9%d", p);
        for (int m = 0; m < 2; m++) {
            pairs[p].members[m] = (struct td_member){.letter = "AB"[m], .size = SIZE};
            name(&pairs[p].members[m].identity, TD_IDENTITY_ATA, serials[p][m]);
            snprintf(pairs[p].members[m].token, sizeof(pairs[p].members[m].token), "%d-%d", p, m);
        }
    }
    seen = (struct td_observation){.dock = "server"};
    seen.slots[0] = (struct td_slot){.present = true, .disk = {.size = SIZE}, .blank = true};
    name(&seen.slots[0].identity, TD_IDENTITY_ATA, "WD-B");
    return 0;
}

static void assert_owner(const struct td_pair *pair, int member, bool certain) {
    const struct td_policy policy = {.prove_every = 4};
    struct td_judgement j = td_judge_dock(&seen, pairs, 2, &policy);
    assert_ptr_equal(j.owner[0].pair, pair);
    if (pair != NULL)
        assert_int_equal(j.owner[0].member, member);
    assert_int_equal(j.owner[0].certain, certain);
}

/* The member's card and filesystem in a slot, on a drive that says nothing. */
static void put_member(int slot, int pair, int member) {
    struct td_slot *s = &seen.slots[slot];
    *s = (struct td_slot){.present = true, .disk = {.size = SIZE}, .super_read = true, .card_state = TD_CARD_READ};
    snprintf(s->fs.type, sizeof(s->fs.type), "ext4");
    snprintf(s->fs.uuid, sizeof(s->fs.uuid), "%s", pairs[pair].uuid);
    snprintf(s->super.uuid, sizeof(s->super.uuid), "%s", pairs[pair].uuid);
    snprintf(s->card.pair, sizeof(s->card.pair), "%s", pairs[pair].uuid);
    snprintf(s->card.token, sizeof(s->card.token), "%s", pairs[pair].members[member].token);
    s->card.member = "AB"[member];
}

static void by_its_own_name(void **state) {
    (void)state;
    assert_owner(&pairs[0], 1, true);
    seen.slots[0].disk.size -= 512; /* as some docks show it */
    assert_owner(&pairs[0], 1, true);
    seen.slots[0].identity.source = TD_IDENTITY_BRIDGE; /* which has it from the drive */
    assert_owner(&pairs[0], 1, true);
    name(&seen.slots[0].identity, TD_IDENTITY_ATA, "ST-A");
    assert_owner(&pairs[1], 0, true);
    name(&seen.slots[0].identity, TD_IDENTITY_ATA, "X1");
    assert_owner(NULL, 0, false);
    name(&seen.slots[0].identity, TD_IDENTITY_UDEV, "ST-A");
    assert_owner(NULL, 0, false);
}

static void nobodys(void **state) {
    (void)state;
    pairs[0].members[1].letter = 0; /* retired */
    assert_owner(NULL, 0, false);
    setup(NULL);
    put_member(1, 0, 1); /* recognised in the other slot */
    assert_owner(NULL, 0, false);
    setup(NULL);
    put_member(0, 0, 1); /* recognised in this one */
    name(&seen.slots[0].identity, TD_IDENTITY_ATA, "WD-B");
    assert_owner(NULL, 0, false);
    setup(NULL);
    seen.slots[0].present = false;
    assert_owner(NULL, 0, false);
}

/* A name that a dock may give to whatever is in this slot. */
static void by_a_docks_word(void **state) {
    (void)state;
    seen.slots[0].identity.source = pairs[0].members[1].identity.source = TD_IDENTITY_BRIDGE;
    assert_owner(&pairs[0], 1, false);
    seen.slots[0].disk.size -= 512;
    assert_owner(NULL, 0, false);
    setup(NULL);
    seen.slots[1] = seen.slots[0]; /* both slots have it */
    assert_owner(&pairs[0], 1, false);
    setup(NULL);
    seen.mode = TD_MODE_MIRROR;
    assert_owner(&pairs[0], 1, false);
    pairs[1].members[0].identity = pairs[0].members[1].identity; /* so it is the dock's */
    assert_owner(NULL, 0, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_its_own_name, setup),
        cmocka_unit_test_setup(nobodys, setup),
        cmocka_unit_test_setup(by_a_docks_word, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
