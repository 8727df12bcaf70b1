/* ledger/work.h: td_work_find_moves(), which tells what only moved from what is new. */
#include "twindock/base/buf.h"
#include "twindock/ledger/work.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A TD_SIDE_BIT(TD_A)
#define B TD_SIDE_BIT(TD_B)

static struct td_ledger *ledger;
static struct td_pair pair;

static int set_up(void **state) {
    (void)state;
    if (td_ledger_open(NULL, &ledger, NULL) < 0)
        return -1;
    pair = (struct td_pair){.uuid = "u", .collection = "M", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    return td_ledger_add_pair(ledger, &pair, NULL) || td_work_start(ledger, NULL);
}

static int tear_down(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return 0;
}

static void check(int rc, const struct td_error *err) {
    if (rc < 0)
        fail_msg("%s", err->text);
}

static struct td_entry regular(const char *path, uint64_t ino, uint64_t size) {
    return (struct td_entry){.path = path,
                             .dev = 1,
                             .ino = ino,
                             .mode = S_IFREG | 0644,
                             .nlink = 1,
                             .size = size,
                             .mtime = {1000 + (time_t)size, 7}};
}

static void scan(enum td_side side, const struct td_entry *entry) {
    struct td_error err = {0};
    check(td_work_scan(ledger, side, entry, &err), &err);
}

static struct td_file known(const char *path, uint64_t ino, uint64_t size, uint8_t hash) {
    struct td_file f = {.entry = regular(path, ino, size), .has_hash = true};
    memset(f.hash, hash, sizeof(f.hash));
    return f;
}

static void put(const struct td_file *f) {
    struct td_error err = {0};
    check(td_ledger_put_file(ledger, pair.id, f, &err), &err);
}

static void add(enum td_action action, const char *path, unsigned members, uint64_t size) {
    struct td_error err = {0};
    const struct td_work_op op = {.action = action,
                                  .why = action == TD_ACT_DELETE ? TD_WHY_GONE : TD_WHY_NEW,
                                  .members = members,
                                  .path = path,
                                  .keep = action == TD_ACT_DELETE,
                                  .size = size};
    check(td_work_add_op(ledger, &op, &err), &err);
}

/* "path<from/members/keep;" of one action in its order. */
static void assert_ops(enum td_action action, const char *expected) {
    struct td_error err = {0};
    struct td_cursor *cursor;
    struct td_work_op op;
    TD_AUTOBUF struct td_buf out = {0};
    int rc;
    check(td_work_ops(ledger, action, &cursor, &err), &err);
    while ((rc = td_work_next_op(cursor, &op, &err)) > 0) {
        assert_int_equal(op.action, action);
        td_buf_printf(&out, "%s%s%s/%s%s%s;", op.path, op.from ? "<" : "", op.from ? op.from : "",
                      op.members & A ? "A" : "", op.members & B ? "B" : "", op.keep ? "k" : "");
    }
    check(rc, &err);
    td_cursor_close(cursor);
    assert_string_equal(td_buf_text(&out), expected);
}

/* Answers for the run: the source's file has this hash. Records the questions. */
struct asked {
    uint8_t hash;
    struct td_buf log;
    int count;
    int answer; /* when not 0: this, whatever the hash */
};

static int confirm(void *ctx, const char *path, const char *old_path, const uint8_t hash[TD_HASH_LEN], bool same) {
    struct asked *asked = ctx;
    asked->count++;
    if (asked->count <= 40)
        td_buf_printf(&asked->log, "%s<%s%s;", path, old_path, same ? "=" : "");
    return asked->answer ? asked->answer : hash[0] == asked->hash && hash[31] == asked->hash;
}

static void assert_moves(struct asked *asked, const char *questions) {
    struct td_error err = {0};
    check(td_work_find_moves(ledger, pair.id, confirm, asked, &err), &err);
    if (questions)
        assert_string_equal(td_buf_text(&asked->log), questions);
    td_buf_free(&asked->log);
}

/* A path that goes: in the ledger, on the members of `on`, to be deleted there. */
static void going(const char *path, uint64_t ino, uint64_t size, uint8_t hash, unsigned on) {
    struct td_file f = known(path, ino, size, hash);
    put(&f);
    for (int side = TD_A; side < TD_SIDES; side++) {
        struct td_entry entry = regular(path, ino + 1000, size);
        if (on & TD_SIDE_BIT(side))
            scan((enum td_side)side, &entry);
    }
    add(TD_ACT_DELETE, path, on, size);
}

static void coming(const char *path, uint64_t ino, uint64_t size, unsigned members) {
    struct td_entry entry = regular(path, ino, size);
    scan(TD_SOURCE, &entry);
    add(TD_ACT_COPY, path, members, size);
}

static void test_a_renamed_file_is_moved(void **state) {
    (void)state;
    going("old", 5, 100, 1, A | B);
    going("same size", 6, 100, 1, A | B);
    coming("new", 5, 100, A | B);
    coming("other", 7, 101, A | B);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new<old=;");
    assert_ops(TD_ACT_MOVE, "new<old/AB;");
    assert_ops(TD_ACT_COPY, "other/AB;");
    assert_ops(TD_ACT_DELETE, "same size/ABk;old/AB;"); /* nothing of it to keep */
}

static void test_moved_between_filesystems(void **state) {
    (void)state;
    going("old", 5, 100, 1, A | B);
    coming("new", 9, 100, A | B); /* another inode, the same time */
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new<old;");
    assert_ops(TD_ACT_MOVE, "new<old/AB;");
}

static void test_other_content_is_not_moved(void **state) {
    (void)state;
    going("old", 5, 100, 1, A | B);
    coming("new", 5, 100, A | B);
    struct asked asked = {.hash = 2};
    assert_moves(&asked, NULL);
    assert_ops(TD_ACT_MOVE, "");
    assert_ops(TD_ACT_COPY, "new/AB;");
    assert_ops(TD_ACT_DELETE, "old/ABk;");
    asked.answer = -EIO; /* and a failure ends the search */
    assert_int_equal(td_work_find_moves(ledger, pair.id, confirm, &asked, NULL), -EIO);
    td_buf_free(&asked.log);
}

static void test_each_old_path_is_used_once(void **state) {
    (void)state;
    going("old", 5, 100, 1, A | B);
    coming("new 1", 8, 100, A | B);
    coming("new 2", 9, 100, A | B);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new 1<old;");
    assert_ops(TD_ACT_MOVE, "new 1<old/AB;");
    assert_ops(TD_ACT_COPY, "new 2/AB;");
}

static void test_members_are_split(void **state) {
    (void)state;
    going("old", 5, 100, 1, A | B);
    struct td_entry altered = regular("old", 1005, 100); /* not as the ledger has it */
    altered.mtime.tv_nsec++;
    scan(TD_B, &altered);
    coming("new", 5, 100, A | B);
    going("old of B", 6, 200, 1, B); /* A never had it */
    coming("new of B", 6, 200, A | B);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new<old=;new of B<old of B=;");
    assert_ops(TD_ACT_MOVE, "new<old/A;new of B<old of B/B;");
    assert_ops(TD_ACT_COPY, "new/B;new of B/A;");
    assert_ops(TD_ACT_DELETE, "old of B/B;old/A;old/Bk;");
}

static void test_not_on_offer(void **state) {
    (void)state;
    going("empty", 1, 0, 1, A | B);
    coming("new empty", 1, 0, A | B);
    struct td_file unknown = known("no hash", 2, 100, 1); /* content unknown */
    going("no hash", 2, 100, 1, A | B);
    unknown.has_hash = false;
    put(&unknown);
    coming("new 2", 2, 100, A | B);
    going("replaced", 3, 200, 1, A | B); /* its new path is not new on B */
    coming("there already", 3, 200, A | B);
    struct td_entry there = regular("there already", 9, 5);
    scan(TD_B, &there);
    struct asked asked = {.answer = 1};
    assert_moves(&asked, "");
    assert_int_equal(asked.count, 0);
    assert_ops(TD_ACT_MOVE, "");
}

static void linked_on(enum td_side side, const char *path, uint64_t ino, uint64_t size) {
    struct td_entry entry = regular(path, ino, size);
    entry.nlink = 2;
    scan(side, &entry);
}

static void test_shared_inodes_are_not_moved_apart(void **state) {
    (void)state;
    going("gone", 5, 100, 1, A | B); /* on A it shares its inode with a path that stays */
    linked_on(TD_A, "gone", 70, 100);
    linked_on(TD_A, "stays", 70, 100);
    coming("new", 5, 100, A | B);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new<gone=;");
    assert_ops(TD_ACT_MOVE, "new<gone/B;");
    assert_ops(TD_ACT_COPY, "new/A;");
}

/* Two names of one inode go, two separate files come: only one may have the inode. */
static void test_one_inode_goes_to_one_file(void **state) {
    (void)state;
    going("gone 1", 5, 100, 1, A);
    going("gone 2", 5, 100, 1, A);
    linked_on(TD_A, "gone 1", 70, 100);
    linked_on(TD_A, "gone 2", 70, 100);
    coming("new 1", 5, 100, A);
    coming("new 2", 6, 100, A);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, "new 1<gone 1=;");
    assert_ops(TD_ACT_MOVE, "new 1<gone 1/A;");
    assert_ops(TD_ACT_COPY, "new 2/A;");
}

/* Thousands of one size: the questions stay few for each new path. */
static void test_many_of_one_size(void **state) {
    (void)state;
    struct asked asked = {.hash = 99};
    for (int i = 0; i < 2000; i++) {
        char path[32];
        snprintf(path, sizeof(path), "old/%d", i);
        going(path, 10000 + (uint64_t)i, 100, 1, A | B);
        snprintf(path, sizeof(path), "new/%d", i);
        coming(path, 20000 + (uint64_t)i, 100, A | B);
    }
    assert_moves(&asked, NULL);
    assert_true(asked.count >= 2000 && asked.count <= 2000 * 33);
    uint64_t count, bytes;
    assert_int_equal(td_work_op_totals(ledger, TD_ACT_COPY, &count, &bytes, NULL), 0);
    assert_int_equal(count, 2000);
}

/* --- moved, or replaced, by a run that was cut off ----------------------------------------------------- */

static void test_what_has_moved_already_keeps_its_name_in_the_ledger(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_file old = known("old", 7, 100, 1), there = known("there", 8, 200, 2), empty = known("empty", 9, 0, 3);
    struct td_file taken = known("new-known", 10, 300, 4), lost = known("lost", 10, 300, 5);
    put(&old), put(&there), put(&empty), put(&taken), put(&lost);
    struct td_entry now = regular("new", 7, 100), other = regular("other", 8, 200), none = regular("none", 9, 0);
    struct td_entry another = regular("another", 7, 101), known_now = regular("new-known", 10, 300);
    scan(TD_SOURCE, &now), scan(TD_SOURCE, &other), scan(TD_SOURCE, &none), scan(TD_SOURCE, &another);
    scan(TD_SOURCE, &known_now);
    struct td_entry on_b = regular("there", 80, 200), moved = regular("new", 70, 100);
    scan(TD_B, &on_b); /* its move is still to be made */
    scan(TD_A, &moved), scan(TD_B, &moved), scan(TD_A, &known_now);
    struct td_file twice = known("twice", 11, 400, 6); /* the old name was not yet taken away when it was cut off */
    put(&twice);
    struct td_entry twice_now = regular("twice-new", 11, 400), linked = regular("twice-new", 111, 400);
    scan(TD_SOURCE, &twice_now), scan(TD_B, &linked);
    linked.path = "twice";
    scan(TD_B, &linked);
    add(TD_ACT_DELETE, "twice", B, 0);
    const char *const gone[] = {"old", "empty", "lost"};
    for (size_t i = 0; i < 3; i++) {
        const struct td_work_op op = {.action = TD_ACT_DELETE, .members = A | B, .path = gone[i]};
        check(td_work_add_op(ledger, &op, &err), &err);
    }
    add(TD_ACT_DELETE, "there", B, 0);
    check(td_work_find_astray(ledger, pair.id, A | B, &err), &err);
    assert_ops(TD_ACT_ENTER, "new<old/AB;twice-new<twice/AB;");
}

static void let_go(uint64_t files, uint64_t bytes) {
    struct td_error err = {0};
    uint64_t got_files, got_bytes;
    check(td_work_let_go_moved(ledger, pair.id, A | B, &got_files, &got_bytes, &err), &err);
    assert_int_equal(got_files, files);
    assert_int_equal(got_bytes, bytes);
}

static void test_the_old_name_of_what_has_moved_is_not_kept(void **state) {
    (void)state;
    struct td_entry now = regular("new", 5, 100);
    going("old", 5, 100, 1, A | B); /* on A it still has both, on B it is all to be done */
    linked_on(TD_A, "old", 70, 100), linked_on(TD_A, "new", 70, 100);
    scan(TD_SOURCE, &now);
    let_go(1, 100);
    let_go(0, 0); /* once */
    assert_ops(TD_ACT_DELETE, "old/AB;");
}

/* Cut off twice: the ledger has two names, a member three, and the source has given it a fourth since. */
static void test_what_has_moved_twice_leaves_no_old_name(void **state) {
    (void)state;
    struct td_file later = known("later", 5, 100, 1);
    going("old", 5, 100, 1, A | B);
    linked_on(TD_A, "old", 70, 100);
    put(&later);
    linked_on(TD_A, "later", 70, 100);
    linked_on(TD_A, "unheard of", 70, 100);
    add(TD_ACT_DELETE, "later", A, 100), add(TD_ACT_DELETE, "unheard of", A, 100);
    coming("new", 5, 100, A | B);
    struct asked asked = {.hash = 1};
    assert_moves(&asked, NULL);
    let_go(1, 100); /* the brake has not counted the one that nobody knew */
    assert_ops(TD_ACT_COPY, "");
    assert_ops(TD_ACT_MOVE, "new<old/B;new<later/A;");
    assert_ops(TD_ACT_DELETE, "unheard of/A;old/B;old/A;later/A;");
}

static void test_a_name_less_of_a_hard_link_is_kept(void **state) {
    (void)state;
    struct td_entry stays = regular("stays", 5, 100), edited = regular("edited", 6, 200);
    struct td_file one = known("one of two", 5, 100, 1);
    going("one of two", 5, 100, 1, A); /* as many names as the ledger knew of */
    linked_on(TD_A, "one of two", 70, 100), linked_on(TD_A, "stays", 70, 100);
    one.entry.nlink = 2;
    put(&one);
    going("before", 6, 200, 2, A); /* a file of that name that is to be replaced */
    linked_on(TD_A, "before", 80, 200), linked_on(TD_A, "edited", 80, 200);
    edited.mtime.tv_sec++;
    scan(TD_SOURCE, &stays), scan(TD_SOURCE, &edited);
    going("both", 7, 300, 3, A); /* of two names that go each */
    linked_on(TD_A, "both", 90, 300), linked_on(TD_A, "of them", 90, 300);
    let_go(0, 0);
    assert_ops(TD_ACT_DELETE, "one of two/Ak;both/Ak;before/Ak;");
}

static void assert_proofs(const char *path, int64_t a, int64_t b) {
    struct td_error err = {0};
    struct td_file f;
    check(td_ledger_file(ledger, pair.id, path, &f, &err), &err);
    assert_int_equal(f.proven_at[TD_A], a);
    assert_int_equal(f.cycle[TD_A], a);
    assert_int_equal(f.proven_at[TD_B], b);
    assert_int_equal(f.cycle[TD_B], b);
}

static void test_proofs_are_taken_back_before_copies_are_replaced(void **state) {
    (void)state;
    struct td_error err = {0};
    static const char *const paths[] = {"both", "b", "deleted", "each", "other", "undone"};
    for (size_t i = 0; i < 6; i++) {
        struct td_file f = known(paths[i], i, 10, 1);
        for (int side = TD_A; side <= TD_B; side++)
            f.cycle[side] = f.proven_at[side] = side == TD_A ? 3 : 4;
        put(&f);
    }
    add(TD_ACT_COPY, "both", A | B, 0), add(TD_ACT_LINK, "b", B, 0), add(TD_ACT_DELETE, "deleted", A | B, 0);
    add(TD_ACT_MKDIR, "each", A, 0), add(TD_ACT_SPECIAL, "each", B, 0), add(TD_ACT_COPY, "unknown", A | B, 0);
    add(TD_ACT_COPY, "undone", A, 0);
    check(td_work_doubt(ledger, pair.id, &err), &err);
    assert_proofs("both", 0, 0), assert_proofs("b", 3, 0), assert_proofs("each", 0, 0);
    assert_proofs("deleted", 0, 0), assert_proofs("other", 3, 4), assert_proofs("undone", 0, 4);
    check(td_work_replaced(ledger, "both", &err), &err);
    check(td_work_replaced(ledger, "b", &err), &err);
    check(td_work_undoubt(ledger, pair.id, &err), &err);
    assert_proofs("both", 0, 0), assert_proofs("b", 3, 0); /* these were begun */
    assert_proofs("each", 3, 4), assert_proofs("undone", 3, 4), assert_proofs("deleted", 3, 4);
    check(td_ledger_prove(ledger, pair.id, "undone", TD_A, 9, 9, &err), &err);
    check(td_work_undoubt(ledger, pair.id, &err), &err); /* and only once */
    assert_proofs("undone", 9, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A held file, with a good copy on the members of `on`; the source has it elsewhere. */
static void held(const char *path, uint64_t ino, uint64_t size, uint8_t hash, unsigned on) {
    struct td_file f = known(path, ino, size, hash);
    f.held = true;
    put(&f);
    for (int side = TD_A; side < TD_SIDES; side++) {
        struct td_entry entry = regular(path, ino + 1000, size);
        if (on & TD_SIDE_BIT(side))
            scan((enum td_side)side, &entry);
    }
}

static void assert_held_moves(const char *expected) {
    struct td_error err = {0};
    bool any = false;
    check(td_work_find_astray(ledger, pair.id, A | B, &err), &err);
    check(td_work_move_held(ledger, pair.id, &any, &err), &err);
    assert_ops(TD_ACT_MOVE, expected);
    assert_int_equal(any, *expected != '\0');
}

/* Over another file: both members have one there. */
static void over(const char *path, uint64_t ino, uint64_t size, unsigned members) {
    struct td_file f = known(path, ino + 500, size + 1, 9);
    struct td_entry old = regular(path, ino + 600, size + 1);
    put(&f);
    scan(TD_A, &old);
    scan(TD_B, &old);
    coming(path, ino, size, members);
}

static void test_a_held_file_takes_another_name(void **state) {
    (void)state;
    held("gone", 5, 100, 1, A | B);
    add(TD_ACT_DELETE, "gone", A | B, 100);
    over("over", 5, 100, A | B);
    held("on one", 6, 110, 2, A); /* B has no good copy: it gets one from A in the proof, and not the source's */
    add(TD_ACT_DELETE, "on one", A, 110);
    over("over too", 6, 110, A | B);
    held("taken", 7, 120, 3, A | B); /* another file has its name */
    coming("taken", 70, 121, A | B);
    coming("taken~", 7, 120, A | B);
    held("stays", 8, 130, 4, A | B); /* where it was */
    struct td_entry entry = regular("stays", 8, 130);
    scan(TD_SOURCE, &entry);
    coming("new", 9, 130, A | B);
    held("plain", 10, 140, 5, A | B); /* found like all that only moved */
    add(TD_ACT_DELETE, "plain", A | B, 140);
    coming("plainly", 10, 140, A | B);
    assert_held_moves("over<gone/AB;over too<on one/A;taken~<taken/AB;");
    assert_ops(TD_ACT_COPY, "new/AB;plainly/AB;taken/AB;");
    assert_ops(TD_ACT_DELETE, "plain/ABk;on one/A;gone/AB;");
    struct asked asked = {.hash = 5};
    assert_moves(&asked, "plainly<plain=;");
    assert_ops(TD_ACT_DELETE, "plain/AB;on one/A;gone/AB;");
}

static void test_a_held_file_that_was_accepted_is_copied(void **state) {
    (void)state;
    held("old", 5, 100, 1, A | B);
    add(TD_ACT_DELETE, "old", A | B, 100);
    over("new", 5, 100, A | B);
    struct td_file accepted = known("new", 5, 100, 7);
    accepted.accepted = true;
    put(&accepted);
    held("one", 6, 110, 2, A | B); /* and two that change places are left alone */
    held("two", 7, 120, 3, A | B);
    coming("two", 6, 110, A | B);
    coming("one", 7, 120, A | B);
    assert_held_moves("");
    assert_ops(TD_ACT_COPY, "new/AB;two/AB;one/AB;");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_held_file_takes_another_name),
        TEST(test_a_held_file_that_was_accepted_is_copied),
        TEST(test_a_renamed_file_is_moved),
        TEST(test_moved_between_filesystems),
        TEST(test_other_content_is_not_moved),
        TEST(test_each_old_path_is_used_once),
        TEST(test_members_are_split),
        TEST(test_not_on_offer),
        TEST(test_shared_inodes_are_not_moved_apart),
        TEST(test_one_inode_goes_to_one_file),
        TEST(test_many_of_one_size),
        TEST(test_what_has_moved_already_keeps_its_name_in_the_ledger),
        TEST(test_the_old_name_of_what_has_moved_is_not_kept),
        TEST(test_what_has_moved_twice_leaves_no_old_name),
        TEST(test_a_name_less_of_a_hard_link_is_kept),
        TEST(test_proofs_are_taken_back_before_copies_are_replaced),
    };
    return cmocka_run_group_tests_name("work moves", tests, NULL, NULL);
}
