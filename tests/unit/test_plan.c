/* sync/plan.h: each kind of row, and what it means for a member. */
#include "twindock/sync/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BOTH (TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B))

static const struct td_entry file = {
    .path = "f", .mode = S_IFREG | 0644, .uid = 1, .gid = 2, .nlink = 1, .size = 10, .mtime = {100, 5}};
static const struct td_entry directory = {.path = "f", .mode = S_IFDIR | 0755, .mtime = {100, 5}};
static const struct td_entry fifo = {.path = "f", .mode = S_IFIFO | 0644, .mtime = {100, 5}};
static const struct td_entry symlink_to_x = {.path = "f", .mode = S_IFLNK | 0777, .target = "x", .mtime = {100, 5}};
static const struct td_entry device = {.path = "f", .mode = S_IFCHR | 0600, .rdev = 0x103, .mtime = {100, 5}};

static struct td_plan_step ask(const struct td_row *row) {
    struct td_plan plan;
    td_plan_row(row, TD_SIDE_BIT(TD_A), &plan);
    assert_int_equal(plan.member[TD_SOURCE].action, TD_ACT_NONE);
    assert_int_equal(plan.member[TD_B].action, TD_ACT_NONE); /* not docked */
    return plan.member[TD_A];
}

#define expect_step(row, what, reason)                                                                                 \
    do {                                                                                                               \
        struct td_plan_step got = ask(row);                                                                            \
        assert_int_equal(got.action, TD_ACT_##what);                                                                   \
        assert_int_equal(got.why, TD_WHY_##reason);                                                                    \
    } while (0)

/* A row with these on source and member A; NULL: not there. */
static struct td_row row_of(const struct td_entry *source, const struct td_entry *member) {
    return (struct td_row){.path = "f", .side = {[TD_SOURCE] = source, [TD_A] = member}};
}

static void absent_in_the_source(void **state) {
    (void)state;
    struct td_row row = row_of(NULL, &file);
    expect_step(&row, DELETE, GONE);
    row.side[TD_A] = &directory;
    expect_step(&row, DELETE, GONE);
    row.shielded = true;
    expect_step(&row, NONE, NONE);
    row = row_of(NULL, NULL);
    expect_step(&row, NONE, NONE);
    row = row_of(NULL, &directory);
    row.path = "";
    expect_step(&row, NONE, NONE);
}

static void new_on_the_member(void **state) {
    (void)state;
    struct td_row row = row_of(&file, NULL);
    expect_step(&row, COPY, NEW);
    row = row_of(&directory, NULL);
    expect_step(&row, MKDIR, NEW);
    row.path = "";
    expect_step(&row, MKDIR, NEW);
    row = row_of(&fifo, NULL);
    expect_step(&row, SPECIAL, NEW);
    row = row_of(&symlink_to_x, NULL);
    expect_step(&row, SPECIAL, NEW);
}

/* What was proven on the member, and is gone from there or something else now, has been taken away. */
static void proven_and_not_there(void **state) {
    (void)state;
    struct td_file ledger = {.entry = file, .has_hash = true, .proven_at = {1, 1, 1}};
    struct td_row row = row_of(&file, NULL), other = row_of(&file, &fifo), link = row;
    row.ledger = other.ledger = link.ledger = &ledger;
    link.leader = "e";
    expect_step(&row, COPY, MISSING);
    expect_step(&other, COPY, ALTERED);
    expect_step(&link, LINK, MISSING);
    ledger.entry.size++; /* of another version */
    expect_step(&row, COPY, NEW);
    expect_step(&other, COPY, TYPE);
    expect_step(&link, LINK, NEW);
    ledger.entry = file;
    ledger.proven_at[TD_A] = 0;
    expect_step(&row, COPY, NEW);
    expect_step(&other, COPY, TYPE);
    expect_step(&link, LINK, NEW);
}

/* A time that the member's filesystem has no room for is right as its end. */
static void times_beyond_the_end_need_nothing(void **state) {
    (void)state;
    static const struct td_entry *const all[] = {&file, &directory, &fifo, &symlink_to_x, &device};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct td_entry old = *all[i], copy = *all[i];
        old.mtime = (struct timespec){-11644473600, 0};
        copy.mtime = (struct timespec){INT32_MIN, 0};
        struct td_file known = {.entry = old};
        struct td_row row = row_of(&old, &copy);
        row.ledger = &known;
        expect_step(&row, NONE, NONE);
    }
}

static void equal_needs_nothing(void **state) {
    (void)state;
    static const struct td_entry *const all[] = {&file, &directory, &fifo, &symlink_to_x, &device};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct td_entry copy = *all[i]; /* inode, device, allocation and ctime are each disk's own */
        copy.dev = 9, copy.ino = 99, copy.blocks = 8, copy.ctime.tv_sec = 7;
        struct td_row row = row_of(all[i], &copy);
        expect_step(&row, NONE, NONE);
    }
}

static void another_type(void **state) {
    (void)state;
    static const struct td_entry *const all[] = {&file, &directory, &fifo, &symlink_to_x, &device};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            struct td_row row = row_of(all[i], all[j]);
            if (i == j)
                continue;
            if (i == 0)
                expect_step(&row, COPY, TYPE);
            else if (i == 1)
                expect_step(&row, MKDIR, TYPE);
            else
                expect_step(&row, SPECIAL, TYPE);
        }
}

static void why_content_differs(void **state) {
    (void)state;
    struct td_entry shorter = file, older = file;
    struct td_file ledger = {.entry = file, .has_hash = true, .proven_at = {1, 1, 1}};
    shorter.size = 9;
    older.mtime.tv_nsec = 4;
    for (int i = 0; i < 2; i++) {
        const struct td_entry *member = i ? &older : &shorter;
        struct td_row row = row_of(&file, member);
        expect_step(&row, COPY, EDITED); /* no ledger entry */
        row.ledger = &ledger;
        ledger.entry = *member;
        expect_step(&row, COPY, EDITED); /* the ledger still has what the member has */
        ledger.entry = file;
        ledger.entry.mode = S_IFREG | 0600; /* other attributes in the ledger are no edit */
        expect_step(&row, COPY, ALTERED);
        ledger.proven_at[TD_A] = 0;
        expect_step(&row, COPY, STALE);
        ledger.proven_at[TD_A] = 1;
    }
    struct td_entry elsewhere = symlink_to_x, renumbered = device;
    elsewhere.target = "y";
    renumbered.rdev = 0x104;
    struct td_row row = row_of(&symlink_to_x, &elsewhere);
    expect_step(&row, SPECIAL, EDITED);
    row = row_of(&device, &renumbered);
    expect_step(&row, SPECIAL, EDITED);
}

static void attributes(void **state) {
    (void)state;
    struct td_entry changed[5] = {file, file, file, file, symlink_to_x};
    changed[0].mode = S_IFREG | 04644;
    changed[1].uid = 7;
    changed[2].gid = 7;
    changed[3].xattrs[31] = 1;
    changed[4].mtime.tv_sec = 99;
    for (int i = 0; i < 5; i++) {
        struct td_row row = row_of(i < 4 ? &file : &symlink_to_x, &changed[i]);
        expect_step(&row, ATTRIBUTES, ATTRIBUTES);
    }
    struct td_entry open = directory; /* directories are finished last */
    open.mode = S_IFDIR | 0777;
    open.mtime.tv_sec = 1;
    struct td_row row = row_of(&directory, &open);
    expect_step(&row, NONE, NONE);
}

static void what_cannot_be_read(void **state) {
    (void)state;
    struct td_entry bad = file, closed = directory, unknown = {.path = "f", .error = EIO};
    bad.error = EACCES;
    closed.error = EACCES;
    struct td_row row = row_of(&bad, NULL);
    expect_step(&row, NONE, NONE);
    row = row_of(&bad, &directory);
    expect_step(&row, NONE, NONE);
    row = row_of(&unknown, &file);
    expect_step(&row, NONE, NONE);
    row = row_of(&closed, NULL); /* it is a directory, whatever is in it */
    expect_step(&row, MKDIR, NEW);
    row = row_of(&closed, &directory);
    expect_step(&row, NONE, NONE);
    row = row_of(&file, &bad); /* on the member: made anew */
    expect_step(&row, COPY, ALTERED);
    row = row_of(&file, &unknown);
    expect_step(&row, COPY, ALTERED);
    row = row_of(NULL, &closed);
    expect_step(&row, DELETE, GONE);
}

static void hard_links(void **state) {
    (void)state;
    struct td_entry other = file, chmoded = file;
    other.size = 9;
    chmoded.mode = S_IFREG | 0600;
    struct td_row row = row_of(&file, NULL);
    row.leader = "a";
    expect_step(&row, LINK, NEW);
    row.side[TD_A] = &directory;
    expect_step(&row, LINK, TYPE);
    row.side[TD_A] = &file; /* there, equal, but a file of its own */
    expect_step(&row, LINK, LINKS);
    row.linked[TD_A] = true;
    expect_step(&row, NONE, NONE);
    row.side[TD_A] = &other; /* the shared inode is out of date: the leader is copied, this one linked again */
    expect_step(&row, LINK, EDITED);
    row.side[TD_A] = &chmoded; /* attributes are set through the leader */
    expect_step(&row, NONE, NONE);
    row.side[TD_A] = &file;
    row.tangled[TD_A] = true; /* the inode has names outside of the group */
    expect_step(&row, LINK, LINKS);
}

static void tangled(void **state) {
    (void)state;
    struct td_row row = row_of(&file, &file);
    row.tangled[TD_A] = true;
    expect_step(&row, COPY, LINKS);
    row.tangled[TD_A] = false;
    row.tangled[TD_B] = true;
    expect_step(&row, NONE, NONE);
    row = row_of(&fifo, &fifo);
    row.tangled[TD_A] = true;
    expect_step(&row, SPECIAL, LINKS);
}

/* A leader and a follower on one inode, before and after: the follower's step must be LINK exactly when the leader's
 * makes a new inode. */
static void followers_go_with_their_leader(void **state) {
    (void)state;
    struct td_entry kinds[] = {file, symlink_to_x, device, fifo};
    for (size_t k = 0; k < 4; k++)
        for (int differs = 0; differs < 3; differs++)
            for (int knotted = 0; knotted < 2; knotted++) {
                struct td_entry member = kinds[k];
                if (differs == 1)
                    member.size++, member.target = member.target ? "y" : NULL, member.rdev++;
                if (differs == 2)
                    member.uid++;
                struct td_row row = row_of(&kinds[k], &member);
                row.tangled[TD_A] = knotted != 0;
                enum td_action leads = ask(&row).action;
                row.leader = "a";
                row.linked[TD_A] = true;
                bool anew = leads == TD_ACT_COPY || leads == TD_ACT_SPECIAL;
                assert_int_equal(ask(&row).action, anew ? TD_ACT_LINK : TD_ACT_NONE);
            }
}

static void held_content_goes_nowhere(void **state) {
    (void)state;
    struct td_entry other = file, moved_on = file;
    struct td_file ledger = {.entry = file, .has_hash = true, .held = true, .proven_at = {1, 1, 1}};
    other.size = 9;
    const struct td_entry *members[] = {NULL, &other, &directory, &file};
    for (size_t i = 0; i < 4; i++) {
        struct td_row row = row_of(&file, members[i]);
        row.ledger = &ledger;
        expect_step(&row, NONE, NONE);
        row.tangled[TD_A] = members[i] != NULL;
        expect_step(&row, NONE, NONE);
    }
    struct td_entry chmoded = file;
    chmoded.mode = S_IFREG | 0600;
    struct td_row row = row_of(&chmoded, &file); /* attributes may go */
    row.ledger = &ledger;
    expect_step(&row, ATTRIBUTES, ATTRIBUTES);
    moved_on.mtime.tv_sec++;
    row = row_of(&moved_on, &file); /* somebody has written to it since */
    row.ledger = &ledger;
    expect_step(&row, COPY, EDITED);
    row = row_of(NULL, &file);
    row.ledger = &ledger;
    expect_step(&row, DELETE, GONE);
}

/* Size and times are the same on all sides; only the ledger knows that the members have what was right before. */
static void accepted_content_is_copied(void **state) {
    (void)state;
    struct td_entry edited = file;
    struct td_file ledger = {.entry = file, .has_hash = true, .accepted = true};
    struct td_plan plan;
    struct td_row row = row_of(&file, &file);
    row.ledger = &ledger;
    expect_step(&row, COPY, EDITED);
    row.leader = "a";
    row.linked[TD_A] = true;
    expect_step(&row, LINK, EDITED);
    row = row_of(&edited, &file); /* and edited since, as everything is */
    edited.mtime.tv_sec++;
    row.ledger = &ledger;
    expect_step(&row, COPY, EDITED);
    row = row_of(&file, &file);
    row.ledger = &ledger;
    ledger.proven_at[TD_A] = 1; /* it has been copied there meanwhile */
    expect_step(&row, NONE, NONE);
    row.side[TD_B] = &file;
    td_plan_row(&row, BOTH, &plan);
    assert_int_equal(plan.member[TD_B].action, TD_ACT_COPY);
}

static void each_member_for_itself(void **state) {
    (void)state;
    struct td_plan plan;
    struct td_row row = {.path = "f", .side = {&file, NULL, &file}};
    td_plan_row(&row, BOTH, &plan);
    assert_int_equal(plan.member[TD_A].action, TD_ACT_COPY);
    assert_int_equal(plan.member[TD_B].action, TD_ACT_NONE);
    td_plan_row(&row, 0, &plan);
    assert_int_equal(plan.member[TD_A].action, TD_ACT_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_in_the_source),
        cmocka_unit_test(new_on_the_member),
        cmocka_unit_test(proven_and_not_there),
        cmocka_unit_test(times_beyond_the_end_need_nothing),
        cmocka_unit_test(equal_needs_nothing),
        cmocka_unit_test(another_type),
        cmocka_unit_test(why_content_differs),
        cmocka_unit_test(attributes),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(hard_links),
        cmocka_unit_test(tangled),
        cmocka_unit_test(followers_go_with_their_leader),
        cmocka_unit_test(held_content_goes_nowhere),
        cmocka_unit_test(accepted_content_is_copied),
        cmocka_unit_test(each_member_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
