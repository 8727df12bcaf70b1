/* What a target does when the member fails under it: full, lost, lying, killed, without power. */
#include "member.h"

#include "twindock/base/sys.h"
#include "twindock/sync/history.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN "00000007-20240102T030405Z"
#define OLD "history/" RUN "/"

static bool possible;

struct bench {
    struct member a, b;
    bool two;
    char path[64];
    int source;
    struct reports reports;
};

static int set_up(void **state) {
    static struct bench bench;
    if (!possible)
        return 0;
    bench = (struct bench){.reports = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    member_make(&bench.a, 48);
    bench.source = scratch_make(bench.path);
    *state = &bench;
    return 0;
}

static int set_up_two(void **state) {
    if (set_up(state) != 0 || !possible)
        return 0;
    struct bench *bench = *state;
    member_make(&bench->b, 48);
    bench->two = true;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    td_sys = td_libc;
    if (!bench)
        return 0;
    reports_free(&bench->reports);
    scratch_remove(bench->path, bench->source);
    member_free(&bench->a);
    if (bench->two)
        member_free(&bench->b);
    return 0;
}

#define NEED_ROOT()                                                                                                    \
    do {                                                                                                               \
        if (!possible)                                                                                                 \
            skip();                                                                                                    \
    } while (0)

static int error_of(struct bench *bench, enum td_side side, int64_t id) {
    return reports_find(&bench->reports, side, id)->error;
}

/* --- what is reported is durable ------------------------------------------------------------------------------ */

static atomic_int syncs, rename_at, report_at;

static int counting_syncfs(int fd) {
    int rc = td_libc.syncfs(fd);
    atomic_fetch_add(&syncs, 1);
    return rc;
}

static int watching_rename(int olddir, const char *old, int newdir, const char *new, unsigned flags) {
    atomic_store(&rename_at, atomic_load(&syncs));
    return td_libc.renameat2(olddir, old, newdir, new, flags);
}

static void watching_done(void *ctx, const struct td_op_done *done) {
    atomic_store(&report_at, atomic_load(&syncs));
    reports_done(ctx, done);
}

static void reports_come_after_the_sync_that_follows(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_target_options options = {.side = TD_A,
                                        .collection = bench->a.collection,
                                        .store = bench->a.store,
                                        .source = bench->source,
                                        .history = RUN,
                                        .batch_files = 2,
                                        .done = watching_done,
                                        .ctx = &bench->reports};
    struct td_target *target;
    td_sys.syncfs = counting_syncfs;
    td_sys.renameat2 = watching_rename;
    assert_int_equal(td_target_start(&options, &target, NULL), 0);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        put_text(bench->source, name, name);
        assert_int_equal(copy_to(target, i, bench->source, name), TD_COPY_READ);
    }
    td_target_flush(target);
    assert_int_equal(reports_count(&bench->reports), 3);
    assert_int_equal(atomic_load(&syncs), 3); /* a batch of two, one of one, and the end */
    assert_int_equal(atomic_load(&rename_at), 2);
    assert_int_equal(atomic_load(&report_at), 3);
    td_target_stop(target, false);
}

/* --- full ------------------------------------------------------------------------------------------------------ */

static uint64_t available(const struct member *member) {
    struct statvfs fs;
    assert_int_equal(fstatvfs(member->store, &fs), 0);
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void a_full_member_keeps_its_old_files(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    char name[16];
    put_text(bench->a.collection, "f0", "old 0");
    put_text(bench->a.collection, "f9", "old 9");
    struct td_target *target[2] = {member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports),
                                   member_start(&bench->b, TD_B, bench->source, RUN, &bench->reports)};
    put_bytes(bench->b.collection, "f5", 5 << 20, 99); /* B has less to hold */
    assert_int_equal(unlinkat(bench->b.collection, "f5", 0), 0);
    put_bytes(bench->a.collection, "ballast", 20 << 20, 1);
    struct td_copy_read read;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        put_bytes(bench->source, name, 3 << 20, (unsigned)i);
        struct td_op op = {.id = i, .action = TD_ACT_COPY, .path = name};
        assert_int_equal(td_target_copy(target, 2, bench->source, &op, NULL, &read), TD_COPY_READ);
    }
    td_target_flush(target[0]);
    td_target_flush(target[1]);
    assert_int_equal(td_target_state(target[0]), TD_TARGET_FULL);
    assert_string_not_equal(td_target_reason(target[0]), "");
    assert_int_equal(td_target_state(target[1]), TD_TARGET_OK);
    int placed = 0, full = 0;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        assert_int_equal(error_of(bench, TD_B, i), 0);
        assert_same_file(bench->b.collection, name, bench->source, name);
        int error = error_of(bench, TD_A, i);
        full += error == ENOSPC;
        placed += error == 0;
        if (error == 0)
            assert_same_file(bench->a.collection, name, bench->source, name);
    }
    assert_in_range(placed, 3, 7); /* what was staged before the end has found its place */
    assert_int_equal(full, 1);
    assert_int_equal(error_of(bench, TD_A, 9), ESHUTDOWN);
    assert_text(bench->a.collection, "f9", "old 9");
    assert_text(bench->a.store, OLD "f0", "old 0");
    assert_int_equal(names_in(bench->a.store, "staging"), 0);
    td_target_stop(target[0], false);
    td_target_stop(target[1], false);
}

static void older_history_makes_room(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_bytes(bench->a.store, "history/00000001-20200101T000000Z/x", 8 << 20, 1);
    put_bytes(bench->a.store, "history/00000002-20200102T000000Z/x", 8 << 20, 2);
    put_bytes(bench->a.store, "history/00000003-20200103T000000Z/x", 8 << 20, 3);
    put_bytes(bench->a.store, OLD "x", 1 << 20, 4);
    put_bytes(bench->source, "f", 20 << 20, 5);
    assert_true(available(&bench->a) < 20 << 20);
    struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
    assert_int_equal(copy_to(target, 1, bench->source, "f"), TD_COPY_READ);
    td_target_stop(target, false);
    assert_int_equal(error_of(bench, TD_A, 1), 0);
    assert_same_file(bench->a.collection, "f", bench->source, "f");
    assert_int_equal(kind_of(bench->a.store, "history/00000001-20200101T000000Z"), 0);
    assert_int_equal(kind_of(bench->a.store, "history/00000003-20200103T000000Z"), S_IFDIR);
    assert_int_equal(kind_of(bench->a.store, OLD "x"), S_IFREG);
}

/* A file that no member of this size could hold must not cost the history. */
static void a_file_that_is_too_big_costs_no_history(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_bytes(bench->a.store, "history/00000001-20200101T000000Z/x", 1 << 20, 1);
    put_bytes(bench->source, "f", 60 << 20, 5);
    put_text(bench->source, "small", "small");
    struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
    assert_int_equal(copy_to(target, 1, bench->source, "f"), TD_COPY_READ);
    assert_int_equal(copy_to(target, 2, bench->source, "small"), TD_COPY_READ);
    td_target_flush(target);
    assert_int_equal(td_target_state(target), TD_TARGET_OK);
    assert_int_equal(error_of(bench, TD_A, 1), ENOSPC);
    assert_int_equal(error_of(bench, TD_A, 2), 0); /* what fits is still copied */
    assert_text(bench->a.collection, "small", "small");
    assert_int_equal(kind_of(bench->a.store, "history/00000001-20200101T000000Z"), S_IFDIR);
    assert_int_equal(names_in(bench->a.store, "staging"), 0);
    td_target_stop(target, false);
}

/* Nor one that would fit into an empty member, but not beside what is in this one. */
static void a_file_beyond_all_history_costs_none_of_it(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_bytes(bench->a.store, "history/00000001-20200101T000000Z/x", 6 << 20, 1);
    put_bytes(bench->a.store, "quarantine/00000002-20200102T000000Z/x", 6 << 20, 2);
    put_bytes(bench->a.collection, "ballast", 14 << 20, 3);
    put_bytes(bench->source, "f", 30 << 20, 5);
    put_bytes(bench->source, "next", 1 << 20, 6);
    assert_in_range(available(&bench->a) + (12 << 20), 20 << 20, 30 << 20);
    struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
    assert_int_equal(copy_to(target, 1, bench->source, "f"), TD_COPY_READ);
    assert_int_equal(copy_to(target, 2, bench->source, "next"), TD_COPY_READ);
    td_target_flush(target);
    assert_int_equal(td_target_state(target), TD_TARGET_OK);
    td_target_stop(target, false);
    assert_int_equal(error_of(bench, TD_A, 1), ENOSPC);
    assert_non_null(strstr(reports_find(&bench->reports, TD_A, 1)->text, "more room"));
    assert_int_equal(error_of(bench, TD_A, 2), 0);
    assert_same_file(bench->a.collection, "next", bench->source, "next");
    assert_int_equal(kind_of(bench->a.store, "history/00000001-20200101T000000Z/x"), S_IFREG);
    assert_int_equal(kind_of(bench->a.store, "quarantine/00000002-20200102T000000Z/x"), S_IFREG);
}

/* A kept file with several names gives its room only when all of them are older history. */
static void room_under_several_names(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    static const char kept[] = "history/00000001-20200101T000000Z/x";
    put_bytes(bench->a.store, kept, 12 << 20, 1);
    assert_int_equal(linkat(bench->a.store, kept, bench->a.collection, "x", 0), 0);
    put_bytes(bench->a.collection, "ballast", 14 << 20, 3);
    put_bytes(bench->source, "f", 20 << 20, 5);
    assert_true(available(&bench->a) < 20 << 20);
    for (int i = 0; i < 2; i++) {
        struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
        assert_int_equal(copy_to(target, i, bench->source, "f"), TD_COPY_READ);
        td_target_stop(target, false);
        assert_int_equal(error_of(bench, TD_A, i), i == 0 ? ENOSPC : 0);
        assert_int_equal(kind_of(bench->a.store, kept), i == 0 ? S_IFREG : 0);
        if (i == 0)
            assert_int_equal(renameat(bench->a.collection, "x", bench->a.store, "history/00000001-20200101T000000Z/y"),
                             0);
    }
    assert_same_file(bench->a.collection, "f", bench->source, "f");
}

/* The reserve is kept by giving up history where that can be done; where it cannot, none is given up for it. */
static void history_is_given_up_for_the_reserve_if_that_helps(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_bytes(bench->a.store, "history/00000001-20200101T000000Z/x", 8 << 20, 1);
    put_bytes(bench->a.store, "history/00000002-20200102T000000Z/x", 8 << 20, 2);
    put_text(bench->source, "f", "new");
    struct td_target_options options = {.side = TD_A,
                                        .collection = bench->a.collection,
                                        .store = bench->a.store,
                                        .source = bench->source,
                                        .history = RUN,
                                        .done = reports_done,
                                        .ctx = &bench->reports};
    uint64_t free_now = available(&bench->a);
    for (int i = 0; i < 2; i++) {
        struct td_target *target;
        options.reserve = free_now + (i == 0 ? 17 << 20 : 4 << 20);
        assert_int_equal(td_target_start(&options, &target, NULL), 0);
        assert_int_equal(copy_to(target, i, bench->source, "f"), TD_COPY_READ);
        td_target_stop(target, false);
        assert_int_equal(error_of(bench, TD_A, i), 0);
        assert_int_equal(kind_of(bench->a.store, "history/00000001-20200101T000000Z"), i == 0 ? S_IFDIR : 0);
        assert_int_equal(kind_of(bench->a.store, "history/00000002-20200102T000000Z"), S_IFDIR);
    }
}

/* --- refused ---------------------------------------------------------------------------------------------------- */

#define MANY 60000

static atomic_int refused;

/* So many reports are counted, not kept: what would be measured is their keeping. */
static void counting_done(void *ctx, const struct td_op_done *done) {
    if (done->id < MANY)
        atomic_fetch_add(&refused, done->error == ENOENT);
    else
        reports_done(ctx, done);
}

/* As many as these must not cost more each, and each is remembered until its content comes to be. */
static void many_failures_are_remembered_and_do_not_slow_down(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_target_options options = {.side = TD_A,
                                        .collection = bench->a.collection,
                                        .store = bench->a.store,
                                        .source = bench->source,
                                        .history = RUN,
                                        .done = counting_done,
                                        .ctx = &bench->reports};
    struct td_target *target;
    assert_int_equal(td_target_start(&options, &target, NULL), 0);
    struct timespec began, ended;
    char path[32];
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "f%d", i);
        td_target_submit(target, &(struct td_op){.id = i, .action = TD_ACT_MOVE, .path = path, .from = "not there"});
    }
    td_target_flush(target);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_int_equal(atomic_load(&refused), MANY);
    assert_true(ended.tv_sec - began.tv_sec < 8);
    put_text(bench->a.collection, "f100", "old");
    put_text(bench->a.collection, "f101", "old");
    put_text(bench->source, "f101", "new");
    put_text(bench->source, "link100", "new");
    put_text(bench->source, "link101", "new");
    assert_int_equal(copy_to(target, MANY, bench->source, "f101"), TD_COPY_READ);
    submit(target, MANY + 1, TD_ACT_LINK, bench->source, "link100", "f100");
    submit(target, MANY + 2, TD_ACT_LINK, bench->source, "link101", "f101");
    td_target_stop(target, false);
    assert_int_not_equal(error_of(bench, TD_A, MANY + 1), 0); /* f100 is not what it should be */
    assert_int_equal(kind_of(bench->a.collection, "link100"), 0);
    assert_int_equal(error_of(bench, TD_A, MANY + 2), 0);
    assert_text(bench->a.collection, "link101", "new");
}

/* --- lost ------------------------------------------------------------------------------------------------------ */

static atomic_ullong bad_device; /* st_dev of the member that fails; 0: none */
static atomic_int bad_errno;

static bool is_bad(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    return (S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev) == atomic_load(&bad_device);
}

static int failing_syncfs(int fd) {
    if (!is_bad(fd))
        return td_libc.syncfs(fd);
    errno = atomic_load(&bad_errno);
    return -1;
}

static ssize_t failing_pwrite(int fd, const void *data, size_t len, off_t offset) {
    if (!is_bad(fd))
        return td_libc.pwrite(fd, data, len, offset);
    errno = atomic_load(&bad_errno);
    return -1;
}

static void one_is_lost(struct bench *bench, int errnum) {
    struct td_target *target[2] = {member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports),
                                   member_start(&bench->b, TD_B, bench->source, RUN, &bench->reports)};
    char name[16];
    struct td_copy_read read;
    put_text(bench->a.collection, "f0", "old");
    atomic_store(&bad_errno, errnum);
    struct stat st;
    assert_int_equal(fstat(bench->a.store, &st), 0);
    atomic_store(&bad_device, st.st_dev);
    for (int i = 0; i < 30; i++) { /* more than the queue of the lost one would hold */
        snprintf(name, sizeof(name), "f%d", i);
        put_bytes(bench->source, name, i % 2 ? 100 : 1 << 20, (unsigned)i);
        struct td_op op = {.id = i, .action = TD_ACT_COPY, .path = name};
        assert_int_equal(td_target_copy(target, 2, bench->source, &op, NULL, &read), TD_COPY_READ);
    }
    td_target_flush(target[0]);
    td_target_flush(target[1]);
    atomic_store(&bad_device, 0);
    assert_int_equal(td_target_state(target[0]), TD_TARGET_LOST);
    assert_non_null(strstr(td_target_reason(target[0]), strerror(errnum)));
    assert_int_equal(td_target_state(target[1]), TD_TARGET_OK);
    assert_string_equal(td_target_reason(target[1]), "");
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        int error = error_of(bench, TD_A, i);
        assert_true(error == ESHUTDOWN || (error == errnum && i == 0));
        assert_int_equal(error_of(bench, TD_B, i), 0);
        assert_same_file(bench->b.collection, name, bench->source, name);
    }
    assert_text(bench->a.collection, "f0", "old");
    assert_int_equal(td_target_copy(target, 1, bench->source,
                                    &(struct td_op){.id = 100, .action = TD_ACT_COPY, .path = "f0"}, NULL, &read),
                     TD_COPY_UNREADABLE);
    assert_int_equal(read.error, ESHUTDOWN);
    td_target_stop(target[0], false);
    td_target_stop(target[1], false);
    assert_int_equal(error_of(bench, TD_A, 100), ESHUTDOWN);
}

static void a_failed_sync_loses_the_member(void **state) {
    NEED_ROOT();
    td_sys.syncfs = failing_syncfs;
    one_is_lost(*state, EIO);
}

static void a_failed_write_loses_the_member(void **state) {
    NEED_ROOT();
    td_sys.pwrite = failing_pwrite;
    one_is_lost(*state, EROFS);
}

/* --- reading back ---------------------------------------------------------------------------------------------- */

/* "Liar" is read wrong, or not at all: as a file of its own, or in the midst of others from the device. */
static ssize_t lying_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    char *lie = n > 0 && is_bad(fd) ? memmem(data, (size_t)n, "Liar", 4) : NULL;
    if (!lie)
        return n;
    if (atomic_load(&bad_errno) == 0) {
        lie[1] ^= 1;
        return n;
    }
    errno = atomic_load(&bad_errno);
    return -1;
}

static void a_copy_that_reads_back_different_is_not_placed(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct stat st;
    assert_int_equal(fstat(bench->a.store, &st), 0);
    put_text(bench->source, "lie", "Liar");
    put_text(bench->source, "truth", "true");
    td_sys.pread = lying_pread;
    for (int i = 0; i < 2; i++) {
        put_text(bench->a.collection, "lie", "old");
        atomic_store(&bad_errno, i == 0 ? 0 : EIO);
        struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
        atomic_store(&bad_device, st.st_dev);
        assert_int_equal(copy_to(target, 10 * i + 1, bench->source, "lie"), TD_COPY_READ);
        assert_int_equal(copy_to(target, 10 * i + 2, bench->source, "truth"), TD_COPY_READ);
        td_target_flush(target);
        atomic_store(&bad_device, 0);
        assert_int_equal(td_target_state(target), TD_TARGET_OK); /* one bad spot is no lost member */
        td_target_stop(target, false);
        assert_int_equal(error_of(bench, TD_A, 10 * i + 1), EIO);
        assert_int_equal(error_of(bench, TD_A, 10 * i + 2), 0);
        assert_text(bench->a.collection, "lie", "old");
        assert_text(bench->a.collection, "truth", "true");
        assert_int_equal(names_in(bench->a.store, "staging"), 0);
    }
    assert_non_null(strstr(reports_find(&bench->reports, TD_A, 1)->text, "read back different"));
}

/* --- the sweep, and a cancelled end ------------------------------------------------------------------------------ */

static void the_sweep_recovers_old_versions(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    uint64_t removed = 0;
    assert_int_equal(td_staging_sweep(bench->a.store, &removed, NULL), 0); /* no staging yet */
    put_text(bench->a.store, "staging/new-1", "half");
    put_text(bench->a.store, "staging/new-2/odd", "x");
    put_text(bench->a.store, "staging/swap-3/sub/file", "old dir");
    put_text(bench->a.store, "staging/swap-4", "old file");
    put_dir(bench->a.store, "staging/swap-5");
    put_text(bench->a.store, "staging/probe", "");
    put_text(bench->a.store, "history/recovered/swap-4", "from an earlier crash");
    assert_int_equal(td_staging_sweep(bench->a.store, &removed, NULL), 0);
    assert_int_equal(removed, 6);
    assert_int_equal(names_in(bench->a.store, "staging"), 0);
    assert_text(bench->a.store, "history/recovered/swap-3/sub/file", "old dir");
    assert_text(bench->a.store, "history/recovered/swap-4", "from an earlier crash");
    assert_text(bench->a.store, "history/recovered/swap-4.~1~", "old file");
    assert_int_equal(names_in(bench->a.store, "history/recovered"), 3);
}

static void a_cancelled_target_leaves_nothing_behind(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->a.collection, "f", "old");
    put_text(bench->source, "f", "new");
    struct td_target *target = member_start(&bench->a, TD_A, bench->source, RUN, &bench->reports);
    assert_int_equal(copy_to(target, 1, bench->source, "f"), TD_COPY_READ);
    td_target_stop(target, true);
    assert_int_equal(reports_count(&bench->reports), 0);
    assert_text(bench->a.collection, "f", "old");
    assert_int_equal(names_in(bench->a.store, "staging"), 0);
}

int main(void) {
    possible = member_possible();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_TWO(name) cmocka_unit_test_setup_teardown(name, set_up_two, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reports_come_after_the_sync_that_follows),
        TEST_TWO(a_full_member_keeps_its_old_files),
        TEST(older_history_makes_room),
        TEST(a_file_that_is_too_big_costs_no_history),
        TEST(a_file_beyond_all_history_costs_none_of_it),
        TEST(room_under_several_names),
        TEST(history_is_given_up_for_the_reserve_if_that_helps),
        TEST(many_failures_are_remembered_and_do_not_slow_down),
        TEST_TWO(a_failed_sync_loses_the_member),
        TEST_TWO(a_failed_write_loses_the_member),
        TEST(a_copy_that_reads_back_different_is_not_placed),
        TEST(the_sweep_recovers_old_versions),
        TEST(a_cancelled_target_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
