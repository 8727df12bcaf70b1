/* dock/verdict.h: a bridge that gives its bays their serials, and two disks that have changed places in it. */
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

/* A member's card in a slot, on a drive that says `serial`; NULL: nothing. */
static void put(int slot, int member, const char *serial) {
    struct td_slot *s = &seen.slots[slot];
    *s = (struct td_slot){.present = true, .super_read = true, .card_state = TD_CARD_READ};
    s->super = (struct td_ext4){.compat = 0x3c, .incompat = 0x2c2, .ro_compat = 0x46b, .inode_size = 256};
    snprintf(s->fs.type, sizeof(s->fs.type), "ext4");
    snprintf(s->fs.uuid, sizeof(s->fs.uuid), UUID);
    snprintf(s->super.uuid, sizeof(s->super.uuid), UUID);
    s->card.member = "AB"[member];
    snprintf(s->card.pair, sizeof(s->card.pair), UUID);
    snprintf(s->card.token, sizeof(s->card.token), "%s", pair.members[member].token);
    s->identity.source = serial ? TD_IDENTITY_SCSI : TD_IDENTITY_NONE;
    snprintf(s->identity.serial, sizeof(s->identity.serial), "%s", serial ? serial : "");
}

static int setup(void **state) {
    (void)state;
    seen = (struct td_observation){.dock = "server"};
    pair = (struct td_pair){.layout = TD_LAYOUT_TWINS};
    snprintf(pair.uuid, sizeof(pair.uuid), UUID);
    for (int i = 0; i < 2; i++) {
        struct td_member *m = &pair.members[i];
        m->letter = "AB"[i];
        snprintf(m->token, sizeof(m->token), "token-%d", i);
        m->identity.source = TD_IDENTITY_SCSI;
        snprintf(m->identity.serial, sizeof(m->identity.serial), "BAY-%d", i);
    }
    return 0;
}

static enum td_verdict verdict(bool any) {
    const struct td_policy policy = {.slots_any = any, .prove_every = 4};
    return td_judge_dock(&seen, &pair, 1, &policy).verdict;
}

static void test_changed_places(void **state) {
    (void)state;
    put(0, 0, "BAY-0");
    put(1, 1, "BAY-1");
    assert_int_equal(verdict(false), TD_OK);
    put(0, 1, "BAY-0");
    put(1, 0, "BAY-1");
    assert_int_equal(verdict(false), TD_SWAPPED);
    assert_int_equal(verdict(true), TD_OK);
    struct td_match_result out[TD_SLOTS];
    td_match_slots(&seen, &pair, 1, out);
    assert_int_equal(out[0].member, 1);
    assert_int_equal(out[1].member, 0);
    assert_string_equal(out[0].rests_on, "card");
    /* The dock was turned round: the disks are right, the serials are not. */
    put(0, 0, "BAY-1");
    put(1, 1, "BAY-0");
    assert_int_equal(verdict(false), TD_OK);
}

/* Anything less than both is a copy, as before. */
static void test_one_alone_is_a_copy(void **state) {
    (void)state;
    put(0, 0, "BAY-1");
    put(1, 1, NULL);
    assert_int_equal(verdict(false), TD_UNKNOWN_MEMBER);
    put(1, 1, "OTHER");
    assert_int_equal(verdict(false), TD_UNKNOWN_MEMBER);
    put(1, 0, "BAY-0");
    assert_int_equal(verdict(true), TD_UNKNOWN_MEMBER);
    seen.slots[1] = (struct td_slot){0};
    assert_int_equal(verdict(true), TD_UNKNOWN_MEMBER);
    /* Cards that are not enrolled are nobody's, wherever they lie. */
    put(0, 1, "BAY-0");
    put(1, 0, "BAY-1");
    seen.slots[0].card.token[0] = 'x';
    assert_int_equal(verdict(true), TD_UNKNOWN_MEMBER);
    put(0, 1, "BAY-0");
    seen.slots[0].card_state = TD_CARD_ABSENT;
    assert_int_equal(verdict(true), TD_UNKNOWN_MEMBER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_changed_places, setup),
        cmocka_unit_test_setup(test_one_alone_is_a_copy, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
