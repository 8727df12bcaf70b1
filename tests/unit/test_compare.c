/* Two devices side by side, as files, with reads that fail, crawl and end. */
#include "loopdev.h"

#include "twindock/base/clock.h"
#include "twindock/base/sys.h"
#include "twindock/sync/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define SIZE (40 * MIB + 3 * KIB) /* no multiple of a piece or a page */
#define NOTED 64

static struct loopdev image[2];
static struct td_compare_options options;
static struct td_compare_result result;

/* What is to be compared, and what was told. */
static const struct td_range *plan;
static size_t plan_length, plan_at;
static struct td_range differ[NOTED], unread[2][NOTED];
static size_t differ_count, unread_count[2];
static uint64_t shown[2];
static atomic_bool cancel;

static int next(void *ctx, struct td_range *out, struct td_error *err) {
    (void)ctx;
    (void)err;
    if (plan_at == plan_length)
        return 0;
    *out = plan[plan_at++];
    return 1;
}

static void differs(void *ctx, const struct td_range *where) {
    (void)ctx;
    if (differ_count < NOTED)
        differ[differ_count] = *where;
    differ_count++;
}

static void unreadable(void *ctx, int disk, const struct td_range *where) {
    (void)ctx;
    if (unread_count[disk] < NOTED)
        unread[disk][unread_count[disk]] = *where;
    unread_count[disk]++;
}

static void progress(void *ctx, const uint64_t done[2]) {
    (void)ctx;
    assert_true(done[0] >= shown[0] && done[1] >= shown[1]);
    shown[0] = done[0];
    shown[1] = done[1];
}

static int setup(void **state) {
    (void)state;
    options = (struct td_compare_options){.size = SIZE,
                                          .next = next,
                                          .differs = differs,
                                          .unreadable = unreadable,
                                          .progress = progress,
                                          .cancel = &cancel};
    atomic_store(&cancel, false);
    uint8_t *data = malloc(SIZE);
    for (uint64_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < 2; i++) {
        loopdev_create(&image[i], SIZE);
        options.fd[i] = open(image[i].image, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(options.fd[i], data, SIZE, 0), SIZE);
    }
    free(data);
    differ_count = unread_count[0] = unread_count[1] = 0;
    shown[0] = shown[1] = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    td_sys = td_libc;
    for (int i = 0; i < 2; i++) {
        close(options.fd[i]);
        loopdev_destroy(&image[i]);
    }
    return 0;
}

static int compare(const struct td_range *ranges, size_t count) {
    plan = ranges;
    plan_length = count;
    plan_at = 0;
    shown[0] = shown[1] = 0;
    return td_compare(&options, &result, NULL);
}

static int compare_all(void) {
    static const struct td_range all = {0, SIZE};
    return compare(&all, 1);
}

static void change(int disk, uint64_t at) {
    uint8_t byte;
    assert_int_equal(pread(options.fd[disk], &byte, 1, (off_t)at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(options.fd[disk], &byte, 1, (off_t)at), 1);
}

static void assert_range(const struct td_range *range, uint64_t start, uint64_t length) {
    assert_int_equal(range->start, start);
    assert_int_equal(range->length, length);
}

static void test_equal(void **state) {
    (void)state;
    assert_int_equal(compare_all(), 0);
    assert_int_equal(result.compared, SIZE);
    assert_int_equal(result.different, 0);
    assert_int_equal(differ_count, 0);
    assert_int_equal(result.lost, -1);
    assert_int_equal(compare(NULL, 0), 0);
    assert_int_equal(result.compared, 0);
}

/* First and last byte, a page's border, a piece's border, two in one sector. */
static void test_differences(void **state) {
    (void)state;
    change(0, 0);
    change(1, 4095);
    change(1, 4096);
    change(0, 7 * MIB + 100);
    change(1, 7 * MIB + 200);
    change(1, SIZE - 1);
    assert_int_equal(compare_all(), 0);
    assert_int_equal(differ_count, 4);
    assert_range(&differ[0], 0, 512);
    assert_range(&differ[1], 4096 - 512, 1024);
    assert_range(&differ[2], 7 * MIB, 512);
    assert_range(&differ[3], SIZE - 512, 512);
    assert_int_equal(result.different, 5 * 512);
    assert_int_equal(result.compared, SIZE);
}

static void test_one_difference_anywhere_is_found(void **state) {
    (void)state;
    srand(7);
    for (int i = 0; i < 12; i++) {
        uint64_t at = (uint64_t)rand() * 4096 % SIZE + (uint64_t)rand() % 4096;
        at = at % SIZE;
        change(i % 2, at);
        differ_count = 0;
        assert_int_equal(compare_all(), 0);
        assert_int_equal(differ_count, 1);
        assert_range(&differ[0], at / 512 * 512, 512);
        change(i % 2, at);
    }
}

/* What lies between the ranges is no matter, however they lie: one beside the other, one KiB apart, far away. */
static void test_ranges(void **state) {
    static const struct td_range ranges[] = {
        {KIB, 2 * KIB}, {4 * KIB, KIB},           {5 * KIB, 3 * KIB},        {MIB - KIB, 3 * KIB},
        {3 * MIB, KIB}, {9 * MIB + 512, 5 * MIB}, {SIZE - 2 * KIB, 2 * KIB},
    };
    (void)state;
    uint64_t sum = 0, at = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (; at < ranges[i].start; at += at + 512 < ranges[i].start ? 512 : 1) /* each sector outside, and its end */
            change(1, at);
        at = ranges[i].start + ranges[i].length;
        sum += ranges[i].length;
    }
    assert_int_equal(compare(ranges, sizeof ranges / sizeof ranges[0]), 0);
    assert_int_equal(differ_count, 0);
    assert_int_equal(result.compared, sum);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        change(0, ranges[i].start);
        change(0, ranges[i].start + ranges[i].length - 1);
    }
    assert_int_equal(compare(ranges, sizeof ranges / sizeof ranges[0]), 0);
    assert_range(&differ[0], KIB, 512);
    assert_range(&differ[1], 3 * KIB - 512, 512);
    assert_range(&differ[2], 4 * KIB, KIB);
    assert_int_equal(result.different, 2 * 512 * sizeof ranges / sizeof ranges[0]);
}

/* Ten thousand small ranges: more than a piece holds. */
static void test_many_ranges(void **state) {
    static struct td_range ranges[10000];
    (void)state;
    for (size_t i = 0; i < 10000; i++)
        ranges[i] = (struct td_range){i * 4 * KIB, KIB};
    change(0, 5000 * 4 * KIB);
    change(1, 5000 * 4 * KIB + KIB);
    assert_int_equal(compare(ranges, 10000), 0);
    assert_int_equal(result.compared, 10000 * KIB);
    assert_int_equal(differ_count, 1);
    assert_range(&differ[0], 5000 * 4 * KIB, 512);
}

/* --- disks that are not well --------------------------------------------------------------------------- */

static int bad_fd;
static uint64_t bad_from, bad_to;
static int bad_errno;

static ssize_t failing_pread(int fd, void *data, size_t len, off_t offset) {
    uint64_t from = (uint64_t)offset;
    if (fd == bad_fd && from < bad_to && from + len > bad_from) {
        if (bad_errno == 0)
            return 0;
        errno = bad_errno;
        return -1;
    }
    return td_libc.pread(fd, data, len, offset);
}

static void break_disk(int disk, uint64_t from, uint64_t to, int error) {
    bad_fd = options.fd[disk];
    bad_from = from;
    bad_to = to;
    bad_errno = error;
    td_sys.pread = failing_pread;
}

static void test_bad_sectors(void **state) {
    (void)state;
    break_disk(1, 5 * MIB + 5000, 5 * MIB + 9000, EIO);
    change(0, 5 * MIB + 6000); /* nobody can tell */
    change(0, 5 * MIB + 4095); /* in a good page before, and after */
    change(0, 5 * MIB + 12288);
    assert_int_equal(compare_all(), 0);
    assert_int_equal(differ_count, 2);
    assert_range(&differ[0], 5 * MIB + 4096 - 512, 512);
    assert_range(&differ[1], 5 * MIB + 12288, 512);
    assert_int_equal(unread_count[0], 0);
    assert_int_equal(unread_count[1], 2);
    assert_range(&unread[1][0], 5 * MIB + 4096, 4096);
    assert_range(&unread[1][1], 5 * MIB + 8192, 4096);
    assert_int_equal(result.unreadable[1], 8192);
    assert_int_equal(result.compared, SIZE - 8192);
}

/* A bad sector outside of what counts is none of ours. */
static void test_bad_sector_in_a_gap(void **state) {
    static const struct td_range ranges[] = {{0, 8 * KIB}, {24 * KIB, 8 * KIB}};
    (void)state;
    break_disk(0, 12 * KIB, 13 * KIB, EIO);
    assert_int_equal(compare(ranges, 2), 0);
    assert_int_equal(unread_count[0], 0);
    assert_int_equal(result.compared, 16 * KIB);
}

static void test_a_disk_that_is_gone(void **state) {
    static const int errors[] = {ENODEV, ENXIO, ESHUTDOWN, 0};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        break_disk((int)i % 2, 9 * MIB, SIZE, errors[i]);
        assert_int_equal(compare_all(), -ENODEV);
        assert_int_equal(result.lost, i % 2);
    }
}

static void test_stop(void **state) {
    (void)state;
    atomic_store(&cancel, true);
    assert_int_equal(compare_all(), -ECANCELED);
}

static int fail_next(void *ctx, struct td_range *out, struct td_error *err) {
    (void)ctx;
    *out = (struct td_range){0, 0};
    return td_fail(err, EUCLEAN, "no more");
}

static void test_error_of_the_plan(void **state) {
    (void)state;
    options.next = fail_next;
    assert_int_equal(compare_all(), -EUCLEAN);
}

/* --- speed --------------------------------------------------------------------------------------------- */

static long slow_ms[2];

static ssize_t slow_pread(int fd, void *data, size_t len, off_t offset) {
    nanosleep(&(struct timespec){.tv_nsec = slow_ms[fd == options.fd[1]] * 1000000}, NULL);
    return td_libc.pread(fd, data, len, offset);
}

static double seconds_with(long a, long b) {
    slow_ms[0] = a;
    slow_ms[1] = b;
    td_sys.pread = slow_pread;
    int64_t began = td_boot_ns();
    assert_int_equal(compare_all(), 0);
    return (double)(td_boot_ns() - began) / 1e9;
}

/* 41 pieces of 20 ms take 0.82 s, whatever the other disk does in that time. */
static void test_the_slower_disk_decides(void **state) {
    (void)state;
    double slow = seconds_with(20, 0), both = seconds_with(20, 20), other = seconds_with(0, 20);
    print_message("20/0 ms: %.2f s, 20/20 ms: %.2f s, 0/20 ms: %.2f s\n", slow, both, other);
    assert_true(slow >= 0.8 && other >= 0.8 && both >= 0.8);
    assert_true(slow < 1.4 && other < 1.4 && both < 1.4); /* the two of them in turn would take 1.64 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_equal),
        T(test_differences),
        T(test_one_difference_anywhere_is_found),
        T(test_ranges),
        T(test_many_ranges),
        T(test_bad_sectors),
        T(test_bad_sector_in_a_gap),
        T(test_a_disk_that_is_gone),
        T(test_stop),
        T(test_error_of_the_plan),
        T(test_the_slower_disk_decides),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
