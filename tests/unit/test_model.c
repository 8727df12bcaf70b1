/* model/: the tables agree with what is documented, and comparing entries sees every field that counts. */
#include "twindock/model/entry.h"
#include "twindock/model/identity.h"
#include "twindock/model/outcome.h"
#include "twindock/model/pair.h"
#include "twindock/model/row.h"
#include "twindock/model/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_names(const char *const *names, const char *const *expected, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], expected[i]);
}

static void verdicts_in_their_order(void **state) {
    (void)state;
    static const char *const names[] = {
        "empty",
        "dock-merged",
        "duplicate-identity",
        "foreign-disk",
        "unknown-member",
        "mixed-pairs",
        "missing-member",
        "swapped",
        "wrong-layout",
        "stale-source",
        "ahead-of-ledger",
        "unproven-pair",
        "unclean",
        "source-missing",
        "brake",
        "ok",
    };
    assert_int_equal(COUNT(names), TD_VERDICTS);
    for (int i = 0; i < TD_VERDICTS; i++) {
        enum td_verdict back = TD_VERDICTS;
        assert_string_equal(td_verdict_name((enum td_verdict)i), names[i]);
        assert_true(td_verdict_from(names[i], &back));
        assert_int_equal(back, i);
        assert_true(strlen(td_verdict_table[i].meaning) > 10);
        /* Nothing docked is nobody's fault, and ok is no refusal: all others mail. */
        assert_int_equal(td_verdict_table[i].mails, i != TD_EMPTY && i != TD_OK);
    }
    enum td_verdict untouched = TD_BRAKE;
    assert_false(td_verdict_from("okay", &untouched));
    assert_false(td_verdict_from("", &untouched));
    assert_false(td_verdict_from(NULL, &untouched));
    assert_int_equal(untouched, TD_BRAKE);
}

static void exit_codes(void **state) {
    (void)state;
    static const int codes[] = {0, 2, 3, 4, 5, 6, 11, 64, 78, 128};
    for (size_t i = 0; i < COUNT(codes); i++) {
        assert_int_equal(td_exit_table[i].code, codes[i]);
        assert_non_null(td_exit_table[i].meaning);
    }
    assert_null(td_exit_table[COUNT(codes)].meaning);
}

/* From the least telling to the most: every pair, both ways round. */
static void the_exit_code_that_tells_more(void **state) {
    (void)state;
    static const int order[] = {0, 11, 2, 3, 5, 4, 6, 64, 78, 130};
    for (size_t i = 0; i < COUNT(order); i++) {
        for (size_t j = 0; j < COUNT(order); j++)
            assert_int_equal(td_exit_worse(order[i], order[j]), order[i > j ? i : j]);
    }
    assert_int_equal(td_exit_worse(1, 4), 1); /* an unknown code is a fault of ours and must not vanish */
    assert_int_equal(td_exit_worse(5, 1), 1);
    assert_int_equal(td_exit_worse(143, 130), 143);
}

static void names_of_outcomes(void **state) {
    (void)state;
    static const char *const incidents[] = {"held", "repaired", "unreadable", "noted"};
    static const char *const causes[] = {
        "none",       "source-rot", "backup-rot",  "altered",      "edited-mtime-kept",   "unprovable",
        "read-error", "changing",   "write-error", "no-good-copy", "attributes-not-kept", "time-not-kept",
        "left-out",   "accepted",   "brake",
    };
    static const char *const results[] = {"running", "done", "done-unproven", "refused", "failed", "interrupted"};
    static const char *const actions[] = {"none", "mkdir", "copy",   "special", "attributes",
                                          "link", "move",  "delete", "enter"};
    static const char *const whys[] = {
        "none", "new", "edited", "stale", "altered", "missing", "type", "links", "attributes", "gone", "repair",
    };
    assert_names(td_incident_names, incidents, COUNT(incidents));
    assert_int_equal(COUNT(causes), TD_CAUSE_COUNT);
    assert_names(td_cause_names, causes, COUNT(causes));
    assert_int_equal(COUNT(results), TD_RESULT_COUNT);
    assert_names(td_result_names, results, COUNT(results));
    assert_int_equal(COUNT(actions), TD_ACTIONS);
    assert_names(td_action_names, actions, COUNT(actions));
    assert_int_equal(COUNT(whys), TD_WHYS);
    assert_names(td_why_names, whys, COUNT(whys));
}

static void names_of_identities_and_layouts(void **state) {
    (void)state;
    static const char *const sources[] = {"card", "ata", "nvme", "scsi", "bridge", "sysfs", "udev"};
    for (unsigned i = 0; i < COUNT(sources); i++) {
        assert_string_equal(td_identity_source_name((enum td_identity_source)i), sources[i]);
        assert_int_equal(td_identity_source_from(sources[i]), i);
    }
    assert_int_equal(td_identity_source_from("unheard-of"), TD_IDENTITY_NONE);
    assert_int_equal(td_identity_source_from(NULL), TD_IDENTITY_NONE);

    enum td_layout layout = TD_LAYOUT_TWINS;
    assert_true(td_layout_from("mirrored", &layout));
    assert_int_equal(layout, TD_LAYOUT_MIRRORED);
    assert_false(td_layout_from("triplets", &layout));
    assert_int_equal(layout, TD_LAYOUT_MIRRORED);
    assert_true(td_layout_from("twins", &layout));
    assert_int_equal(layout, TD_LAYOUT_TWINS);
    assert_string_equal(td_layout_name(TD_LAYOUT_TWINS), "twins");
    assert_string_equal(td_layout_name(TD_LAYOUT_MIRRORED), "mirrored");
}

static struct td_entry entry_of(uint32_t mode) {
    return (struct td_entry){
        .path = "p", .mode = mode, .size = 10, .mtime = {1000, 5}, .ctime = {2000, 7}, .ino = 1, .nlink = 1};
}

static void content_of_files(void **state) {
    (void)state;
    const struct td_entry a = entry_of(S_IFREG | 0644);
    struct td_entry b = a;
    assert_true(td_entry_same_content(&a, &b));
    b.size++;
    assert_false(td_entry_same_content(&a, &b));
    b = a;
    b.mtime.tv_sec++;
    assert_false(td_entry_same_content(&a, &b));
    b = a;
    b.mtime.tv_nsec++;
    assert_false(td_entry_same_content(&a, &b));
    b = a;
    b.mode = S_IFIFO | 0644;
    assert_false(td_entry_same_content(&a, &b));

    /* What is not content. */
    b = a;
    b.mode = S_IFREG | 04755;
    b.uid = b.gid = 7;
    b.ctime.tv_sec = 1;
    b.ino = b.dev = b.nlink = 9;
    b.blocks = 99;
    b.xattrs[0] = 1;
    b.path = "q";
    assert_true(td_entry_same_content(&a, &b));
}

static void content_of_other_kinds(void **state) {
    (void)state;
    static const uint32_t kinds[] = {S_IFDIR, S_IFIFO, S_IFSOCK};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct td_entry a = entry_of(kinds[i] | 0755);
        struct td_entry b = a;
        b.mtime.tv_sec++;
        b.size = 4096;
        assert_true(td_entry_same_content(&a, &b));
    }
    struct td_entry a = entry_of(S_IFLNK | 0777), b = a;
    a.target = "there";
    char there[] = "there";
    b.target = there;
    b.mtime.tv_sec++;
    assert_true(td_entry_same_content(&a, &b));
    b.target = "elsewhere";
    assert_false(td_entry_same_content(&a, &b));
    b.target = NULL;
    assert_false(td_entry_same_content(&a, &b));

    a = b = entry_of(S_IFCHR | 0600);
    a.rdev = b.rdev = makedev(1, 3);
    b.mtime.tv_sec++;
    assert_true(td_entry_same_content(&a, &b));
    b.rdev = makedev(1, 5);
    assert_false(td_entry_same_content(&a, &b));
    b = a;
    b.mode = S_IFBLK | 0600;
    assert_false(td_entry_same_content(&a, &b));
}

static void attributes(void **state) {
    (void)state;
    const struct td_entry a = entry_of(S_IFREG | 0644);
    for (int field = 0; field < 8; field++) {
        struct td_entry b = a;
        if (field == 1)
            b.mode = S_IFREG | 02644;
        else if (field == 2)
            b.uid = 1;
        else if (field == 3)
            b.gid = 1;
        else if (field == 4)
            b.xattrs[TD_HASH_LEN - 1] = 1;
        else if (field == 5)
            b.mtime.tv_sec--;
        else if (field == 6)
            b.mtime.tv_nsec--;
        else if (field == 7)
            b.mode = S_IFREG | 0645;
        assert_int_equal(td_entry_same_attributes(&a, &b), field == 0);
    }
    struct td_entry c = a;
    c.ctime.tv_sec = 1;
    c.size = 99;
    c.nlink = 3;
    assert_true(td_entry_same_attributes(&a, &c));

    const struct td_entry link = entry_of(S_IFLNK | 0777);
    c = link;
    c.mode = S_IFLNK | 0700;
    assert_true(td_entry_same_attributes(&link, &c));
    c.uid = 1;
    assert_false(td_entry_same_attributes(&link, &c));
}

static void times_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        struct timespec want, have;
        bool kept;
    } all[] = {
        {{100, 5}, {100, 5}, true},
        {{100, 5}, {100, 6}, false},
        {{-11644473600, 7}, {INT32_MIN, 0}, true}, /* 1601 on ext4 */
        {{INT32_MIN, 7}, {INT32_MIN, 0}, true},
        {{-11644473600, 7}, {INT32_MIN, 7}, false}, /* the kernel keeps no nanoseconds there */
        {{-2147483647, 0}, {INT32_MIN, 0}, false},
        {{16725225600, 0}, {15032385535, 0}, true}, /* 2500 on ext4 */
        {{15032385534, 0}, {15032385535, 0}, false},
        {{16725225600, 0}, {15032385534, 0}, false},
        {{16725225600, 0}, {INT32_MIN, 0}, false},
        {{-11644473600, 0}, {15032385535, 0}, false},
        {{16725225600, 0}, {16299260424, 0}, true}, /* 2500 on XFS */
        {{4102444800, 0}, {INT32_MAX, 0}, false},   /* 2038 is no end for a disk of ours */
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        struct td_entry original = entry_of(S_IFREG | 0644), copy = original;
        original.mtime = all[i].want;
        copy.mtime = all[i].have;
        assert_int_equal(td_time_kept(&all[i].want, &all[i].have), all[i].kept);
        assert_int_equal(td_entry_kept_content(&original, &copy), all[i].kept);
        assert_int_equal(td_entry_kept_attributes(&original, &copy), all[i].kept);
        copy.xattrs[0] = 1;
        assert_false(td_entry_kept_attributes(&original, &copy));
        copy.size++;
        assert_false(td_entry_kept_content(&original, &copy));
    }
}

static void zero_hashes(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN] = {0};
    assert_true(td_hash_is_zero(hash));
    for (int i = 0; i < TD_HASH_LEN; i++) {
        hash[i] = 0x80;
        assert_false(td_hash_is_zero(hash));
        hash[i] = 0;
    }
}

static void paths_below(void **state) {
    (void)state;
    assert_true(td_path_below("", ""));
    assert_true(td_path_below("", "a"));
    assert_true(td_path_below("a", "a"));
    assert_true(td_path_below("a", "a/b"));
    assert_true(td_path_below("a/b", "a/b/c/d"));
    assert_false(td_path_below("a", "ab"));
    assert_false(td_path_below("a", "a.b"));
    assert_false(td_path_below("a", ""));
    assert_false(td_path_below("a/b", "a"));
    assert_false(td_path_below("a", "b/a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_in_their_order),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(the_exit_code_that_tells_more),
        cmocka_unit_test(names_of_outcomes),
        cmocka_unit_test(names_of_identities_and_layouts),
        cmocka_unit_test(content_of_files),
        cmocka_unit_test(content_of_other_kinds),
        cmocka_unit_test(attributes),
        cmocka_unit_test(times_that_do_not_fit),
        cmocka_unit_test(zero_hashes),
        cmocka_unit_test(paths_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
