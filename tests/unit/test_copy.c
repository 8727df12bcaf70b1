/* The reading side of a copy. */
#include "member.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool possible;

struct bench {
    struct member a, b;
    char path[64];
    int source;
    struct reports reports;
    struct td_target *target[2];
};

static int set_up(void **state) {
    static struct bench bench;
    if (!possible)
        return 0;
    bench = (struct bench){.reports = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    member_make(&bench.a, 64);
    member_make(&bench.b, 64);
    bench.source = scratch_make(bench.path);
    bench.target[0] = member_start(&bench.a, TD_A, bench.source, NULL, &bench.reports);
    bench.target[1] = member_start(&bench.b, TD_B, bench.source, NULL, &bench.reports);
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    td_sys = td_libc;
    if (!bench)
        return 0;
    td_target_stop(bench->target[0], false);
    td_target_stop(bench->target[1], false);
    reports_free(&bench->reports);
    scratch_remove(bench->path, bench->source);
    member_free(&bench->a);
    member_free(&bench->b);
    return 0;
}

#define NEED_ROOT()                                                                                                    \
    do {                                                                                                               \
        if (!possible)                                                                                                 \
            skip();                                                                                                    \
    } while (0)

static enum td_copy_status copy_both(struct bench *bench, int root, int64_t id, const char *path, const uint8_t *expect,
                                     struct td_copy_read *read) {
    struct td_op op = {.id = id, .action = TD_ACT_COPY, .path = path};
    enum td_copy_status status = td_target_copy(bench->target, 2, root, &op, expect, read);
    td_target_flush(bench->target[0]);
    td_target_flush(bench->target[1]);
    return status;
}

static void assert_both(struct bench *bench, int64_t id, int error) {
    assert_int_equal(reports_find(&bench->reports, TD_A, id)->error, error);
    assert_int_equal(reports_find(&bench->reports, TD_B, id)->error, error);
    assert_int_equal(names_in(bench->a.store, "staging"), 0);
    assert_int_equal(names_in(bench->b.store, "staging"), 0);
}

/* What a test does to reads of the source. */
static atomic_ullong watched_device;
static atomic_int source_reads, disturb_times;
static int disturbed = -1; /* a second descriptor of the file being read */

static bool is_watched(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_dev == atomic_load(&watched_device);
}

static ssize_t counting_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    if (n > 0 && is_watched(fd))
        atomic_fetch_add(&source_reads, (int)n);
    return n;
}

static ssize_t disturbing_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    if (is_watched(fd) && atomic_fetch_sub(&disturb_times, 1) > 0)
        (void)!td_libc.pwrite(disturbed, "!", 1, 0);
    return n;
}

static ssize_t broken_pread(int fd, void *data, size_t len, off_t offset) {
    if (is_watched(fd) && offset > 0) {
        errno = EIO;
        return -1;
    }
    return td_libc.pread(fd, data, len, offset);
}

static void watch_source(struct bench *bench) {
    struct stat st;
    assert_int_equal(fstat(bench->source, &st), 0);
    atomic_store(&watched_device, st.st_dev);
}

/* --- the tests -------------------------------------------------------------------------------------------------- */

static void one_read_for_two_members(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_copy_read read;
    struct td_entry entry;
    watch_source(bench);
    put_bytes(bench->source, "f", 5 << 20, 1);
    atomic_store(&source_reads, 0);
    td_sys.pread = counting_pread;
    assert_int_equal(copy_both(bench, bench->source, 1, "f", NULL, &read), TD_COPY_READ);
    assert_int_equal(atomic_load(&source_reads), 5 << 20);
    assert_both(bench, 1, 0);
    assert_same_file(bench->a.collection, "f", bench->source, "f");
    assert_same_file(bench->b.collection, "f", bench->source, "f");
    assert_memory_equal(read.hash, reports_find(&bench->reports, TD_A, 1)->hash, TD_HASH_LEN);
    assert_memory_equal(read.hash, reports_find(&bench->reports, TD_B, 1)->hash, TD_HASH_LEN);
    assert_int_equal(td_entry_read(bench->source, "f", &entry), 0);
    assert_int_equal(read.entry.size, 5 << 20);
    assert_int_equal(read.entry.ino, entry.ino);
    assert_true(td_same_time(&read.entry.mtime, &entry.mtime));
    assert_true(td_same_time(&read.entry.ctime, &entry.ctime));
    assert_null(read.entry.path);
    assert_null(read.entry.target);
}

static void begin_disturbing(struct bench *bench, int times) {
    watch_source(bench);
    disturbed = openat(bench->source, "f", O_WRONLY | O_CLOEXEC);
    assert_true(disturbed >= 0);
    atomic_store(&disturb_times, times);
    td_sys.pread = disturbing_pread;
}

static void a_file_that_changes_is_tried_again(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_copy_read read;
    put_bytes(bench->source, "f", 10000, 1);
    begin_disturbing(bench, 2);
    assert_int_equal(copy_both(bench, bench->source, 1, "f", NULL, &read), TD_COPY_READ);
    close(disturbed);
    assert_both(bench, 1, 0);
    assert_same_file(bench->a.collection, "f", bench->source, "f");
    assert_same_file(bench->b.collection, "f", bench->source, "f");
}

static void a_file_that_keeps_changing_is_left(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_copy_read read;
    put_text(bench->a.collection, "f", "old");
    put_bytes(bench->source, "f", 10000, 1);
    begin_disturbing(bench, 1000);
    assert_int_equal(copy_both(bench, bench->source, 1, "f", NULL, &read), TD_COPY_CHANGING);
    close(disturbed);
    assert_both(bench, 1, EAGAIN);
    assert_text(bench->a.collection, "f", "old");
    assert_int_equal(kind_of(bench->b.collection, "f"), 0);
}

static void what_cannot_be_read_changes_nothing(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_copy_read read;
    watch_source(bench);
    put_text(bench->a.collection, "f", "old");
    put_bytes(bench->source, "f", 3 << 20, 1);
    put_text(bench->source, "good", "good");
    put_fifo(bench->source, "fifo");
    put_link(bench->source, "link", "f");
    td_sys.pread = broken_pread;
    assert_int_equal(copy_both(bench, bench->source, 1, "f", NULL, &read), TD_COPY_UNREADABLE);
    assert_int_equal(read.error, EIO);
    assert_both(bench, 1, EIO);
    assert_string_equal(reports_find(&bench->reports, TD_A, 1)->text, ""); /* the reader tells it, not the member */
    assert_int_equal(copy_both(bench, bench->source, 2, "nowhere", NULL, &read), TD_COPY_UNREADABLE);
    assert_both(bench, 2, ENOENT);
    assert_int_equal(copy_both(bench, bench->source, 3, "fifo", NULL, &read), TD_COPY_UNREADABLE);
    assert_both(bench, 3, EINVAL);
    assert_int_equal(copy_both(bench, bench->source, 4, "link", NULL, &read), TD_COPY_UNREADABLE);
    assert_both(bench, 4, ELOOP);
    assert_int_equal(copy_both(bench, bench->source, 5, "good", NULL, &read), TD_COPY_READ);
    assert_both(bench, 5, 0); /* the members are none the worse */
    assert_text(bench->a.collection, "f", "old");
}

/* A repair from the other member: only what is expected travels, with what that member has of attributes. */
static void a_wrong_origin_is_not_taken_over(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct td_copy_read read;
    uint8_t expect[TD_HASH_LEN];
    put_text(bench->b.collection, "f", "good");
    assert_int_equal(fchmodat(bench->b.collection, "f", 0604, 0), 0);
    put_text(bench->a.collection, "f", "bad");
    struct td_op op = {.id = 1, .action = TD_ACT_COPY, .path = "f"};
    memset(expect, 0, sizeof(expect));
    assert_int_equal(td_target_copy(bench->target, 1, bench->b.collection, &op, expect, &read), TD_COPY_MISMATCH);
    td_target_flush(bench->target[0]);
    assert_int_equal(reports_find(&bench->reports, TD_A, 1)->error, EUCLEAN);
    assert_text(bench->a.collection, "f", "bad");
    memcpy(expect, read.hash, sizeof(expect));
    op.id = 2;
    assert_int_equal(td_target_copy(bench->target, 1, bench->b.collection, &op, expect, &read), TD_COPY_READ);
    td_target_flush(bench->target[0]);
    assert_int_equal(reports_find(&bench->reports, TD_A, 2)->error, 0);
    assert_text(bench->a.collection, "f", "good");
    struct stat st;
    assert_int_equal(fstatat(bench->a.collection, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
}

/* --- a slow member, and one that goes while the reader waits for it ------------------------------------------- */

static atomic_int slow_errno;

static ssize_t slow_pwrite(int fd, const void *data, size_t len, off_t offset) {
    if (!is_watched(fd))
        return td_libc.pwrite(fd, data, len, offset);
    const struct timespec span = {.tv_nsec = 100000000};
    nanosleep(&span, NULL);
    if (atomic_load(&slow_errno) == 0)
        return td_libc.pwrite(fd, data, len, offset);
    errno = atomic_load(&slow_errno);
    return -1;
}

static void slow_member(struct bench *bench, int errnum) {
    struct stat st;
    struct td_copy_read read;
    assert_int_equal(fstat(bench->a.store, &st), 0);
    atomic_store(&watched_device, st.st_dev);
    atomic_store(&slow_errno, errnum);
    td_target_stop(bench->target[0], false);
    struct td_target_options options = {.side = TD_A,
                                        .collection = bench->a.collection,
                                        .store = bench->a.store,
                                        .source = bench->source,
                                        .queue_bytes = 1, /* the reader waits for every piece */
                                        .done = reports_done,
                                        .ctx = &bench->reports};
    assert_int_equal(td_target_start(&options, &bench->target[0], NULL), 0);
    td_sys.pwrite = slow_pwrite;
    put_bytes(bench->source, "f", 6 << 20, 3);
    assert_int_equal(copy_both(bench, bench->source, 1, "f", NULL, &read), TD_COPY_READ);
    assert_int_equal(reports_find(&bench->reports, TD_A, 1)->error, errnum);
    assert_int_equal(reports_find(&bench->reports, TD_B, 1)->error, 0);
    assert_same_file(bench->b.collection, "f", bench->source, "f");
}

static void the_reader_waits_for_a_slow_member(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    slow_member(bench, 0);
    assert_same_file(bench->a.collection, "f", bench->source, "f");
}

static void a_member_that_goes_wakes_the_reader(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    slow_member(bench, ENXIO);
    assert_int_equal(td_target_state(bench->target[0]), TD_TARGET_LOST);
}

int main(void) {
    possible = member_possible();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_read_for_two_members),
        TEST(a_file_that_changes_is_tried_again),
        TEST(a_file_that_keeps_changing_is_left),
        TEST(what_cannot_be_read_changes_nothing),
        TEST(a_wrong_origin_is_not_taken_over),
        TEST(the_reader_waits_for_a_slow_member),
        TEST(a_member_that_goes_wakes_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
