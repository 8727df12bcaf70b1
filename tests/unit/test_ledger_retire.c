/* ledger/ledger.h: pairs and members that are no longer enrolled, and a new one in the place of an old one. */
#include "twindock/base/cleanup.h"
#include "twindock/ledger/history.h"
#include "twindock/ledger/ledger.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct td_ledger *ledger;
static struct td_pair pair;
static struct td_error err;

static struct td_pair add(const char *collection, const char *uuid) {
    struct td_pair new = {.layout = TD_LAYOUT_TWINS, .generation = 5, .intent = 5};
    snprintf(new.collection, sizeof(new.collection), "%s", collection);
    snprintf(new.uuid, sizeof(new.uuid), "%s", uuid);
    for (int i = 0; i < 2; i++) {
        new.members[i] = (struct td_member){.letter = "AB"[i], .generation = 5, .last_proven = 1400000000};
        snprintf(new.members[i].token, sizeof(new.members[i].token), "token-%d", i);
    }
    assert_int_equal(td_ledger_add_pair(ledger, &new, &err), 0);
    return new;
}

static void put_file(const char *path) {
    struct td_file f = {.entry = {.path = path, .mode = S_IFREG | 0644, .nlink = 1, .size = 7}, .has_hash = true};
    for (int side = TD_SOURCE; side < TD_SIDES; side++) {
        f.cycle[side] = 3;
        f.proven_at[side] = 1400000000 + side;
    }
    assert_int_equal(td_ledger_put_file(ledger, pair.id, &f, &err), 0);
}

static int setup(void **state) {
    (void)state;
    err = (struct td_error){0};
    if (td_ledger_open(NULL, &ledger, &err) != 0)
        return -1;
    pair = add("M", "uuid-m");
    put_file("one");
    put_file("two");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return 0;
}

static struct td_pair only_pair(void) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, &err), 0);
    assert_int_equal(count, 1);
    return pairs[0];
}

static int keep_fact(void *ctx, const struct td_info_fact *fact) {
    *(struct td_info_fact *)ctx = *fact;
    return 0;
}

static struct td_info_fact info(void) {
    struct td_info_fact fact = {0};
    assert_int_equal(td_ledger_info(ledger, keep_fact, &fact, &err), 0);
    return fact;
}

static void test_retired_pair(void **state) {
    (void)state;
    struct td_pair *pairs;
    size_t count;
    struct td_file f;
    assert_int_equal(td_ledger_retire_pair(ledger, pair.id, &err), 0);
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, &err), 0);
    assert_int_equal(count, 0);
    free(pairs);
    assert_int_equal(info().pair.id, 0);
    assert_int_equal(td_ledger_file(ledger, pair.id, "one", &f, &err), 0); /* what was known stays */
    assert_int_equal(td_ledger_retire_pair(ledger, pair.id, &err), -ENOENT);
    /* Collection and UUID are free again, and what comes in their place has nothing of the old. */
    struct td_pair again = add("M", "uuid-m");
    assert_int_not_equal(again.id, pair.id);
    assert_int_equal(only_pair().id, again.id);
    assert_int_equal(td_ledger_file(ledger, again.id, "one", &f, &err), -ENOENT);
}

static void test_retired_member(void **state) {
    (void)state;
    assert_int_equal(info().oldest_proof, 1400000001);
    assert_int_equal(td_ledger_retire_member(ledger, pair.id, pair.members[0].id, &err), 0);
    struct td_pair left = only_pair();
    assert_int_equal(left.members[0].letter, 0);
    assert_int_equal(left.members[1].letter, 'B');
    assert_int_equal(info().oldest_proof, 1400000002); /* of copies that are still there */
    assert_int_equal(td_ledger_retire_member(ledger, pair.id, pair.members[0].id, &err), -ENOENT);
    assert_int_equal(td_ledger_retire_member(ledger, pair.id + 1, pair.members[1].id, &err), -ENOENT);
}

static void test_replaced_member(void **state) {
    (void)state;
    struct td_member fresh = {.letter = 'B', .token = "new", .size = 1000};
    struct td_file f;
    assert_int_equal(td_ledger_replace_member(ledger, pair.id, pair.members[1].id, &fresh, &err), 0);
    struct td_pair now = only_pair();
    assert_int_equal(now.members[1].id, fresh.id);
    assert_int_not_equal(fresh.id, pair.members[1].id);
    assert_string_equal(now.members[1].token, "new");
    assert_int_equal(now.members[1].generation, 0);
    assert_int_equal(now.members[1].last_proven, 0);
    assert_string_equal(now.members[0].token, "token-0");
    assert_int_equal(now.members[0].last_proven, 1400000000);
    assert_int_equal(now.generation, 5);
    assert_int_equal(td_ledger_file(ledger, pair.id, "two", &f, &err), 0);
    assert_int_equal(f.proven_at[TD_A], 1400000001);
    assert_int_equal(f.cycle[TD_A], 3);
    assert_int_equal(f.proven_at[TD_B], 0);
    assert_int_equal(f.cycle[TD_B], 0);
    assert_int_equal(info().oldest_proof, 0);
    /* Of a letter that is taken there is no second. */
    struct td_member second = {.letter = 'B', .token = "another"};
    assert_true(td_ledger_replace_member(ledger, pair.id, 0, &second, &err) < 0);
    assert_string_equal(only_pair().members[1].token, "new");
}

static int count_name(void *ctx, const char *name, int64_t run) {
    (void)name;
    (void)run;
    ++*(int *)ctx;
    return 0;
}

/* Nor has it the history of the one before, be it that no run has looked whether that is there. */
static void test_a_replaced_member_has_no_history(void **state) {
    (void)state;
    struct td_version version = {.kind = TD_VERSION_WHOLE, .path = "gone", .place = "00000001-x/gone", .run = 1};
    struct td_member fresh = {.letter = 'B', .token = "new"};
    struct td_file f;
    int names = 0;
    for (enum td_side side = TD_A; side <= TD_B; side++) {
        assert_int_equal(td_ledger_keep(ledger, pair.id, side, &version, &err), 0);
        assert_int_equal(td_ledger_settle(ledger, pair.id, side, "00000001-x", 1, &err), 0);
    }
    assert_int_equal(td_ledger_replace_member(ledger, pair.id, pair.members[1].id, &fresh, &err), 0);
    assert_int_equal(td_ledger_has_kept(ledger, pair.id, TD_A, version.place, &err), 0);
    assert_int_equal(td_ledger_has_kept(ledger, pair.id, TD_B, version.place, &err), -ENOENT);
    assert_int_equal(td_ledger_settled(ledger, pair.id, TD_B, count_name, &names, &err), 0);
    assert_int_equal(names, 0);
    assert_int_equal(td_ledger_settled(ledger, pair.id, TD_A, count_name, &names, &err), 0);
    assert_int_equal(names, 1);
    assert_int_equal(td_ledger_file(ledger, pair.id, "two", &f, &err), 0);
    assert_int_equal(f.had, TD_SIDE_BIT(TD_A));
}

static void test_replaced_after_it_was_retired(void **state) {
    (void)state;
    struct td_member fresh = {.letter = 'A', .token = "new"};
    assert_int_equal(td_ledger_retire_member(ledger, pair.id, pair.members[0].id, &err), 0);
    assert_int_equal(td_ledger_replace_member(ledger, pair.id, 0, &fresh, &err), 0);
    assert_string_equal(only_pair().members[0].token, "new");
}

/* Within a transaction of the caller's all of it is taken back. */
static void test_taken_back(void **state) {
    (void)state;
    struct td_member fresh = {.letter = 'A', .token = "new"};
    struct td_file f;
    assert_int_equal(td_ledger_begin(ledger, &err), 0);
    assert_int_equal(td_ledger_replace_member(ledger, pair.id, pair.members[0].id, &fresh, &err), 0);
    td_ledger_rollback(ledger);
    assert_string_equal(only_pair().members[0].token, "token-0");
    assert_int_equal(td_ledger_file(ledger, pair.id, "two", &f, &err), 0);
    assert_int_equal(f.proven_at[TD_A], 1400000001);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_retired_pair),
        T(test_retired_member),
        T(test_replaced_member),
        T(test_a_replaced_member_has_no_history),
        T(test_replaced_after_it_was_retired),
        T(test_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
