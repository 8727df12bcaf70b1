/* What a member's copy keeps of its original: attributes, holes, and paths of any length. */
#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/history.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN "00000007-20240102T030405Z"
#define OLD "history/" RUN "/"

static bool possible;

struct bench {
    struct member member;
    char path[64];
    int source;
    struct reports reports;
    struct td_target *target;
};

static int set_up(void **state) {
    static struct bench bench; /* tests run one after another */
    if (!possible)
        return 0;
    bench = (struct bench){.reports = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    member_make(&bench.member, 64);
    bench.source = scratch_make(bench.path);
    bench.target = member_start(&bench.member, TD_A, bench.source, RUN, &bench.reports);
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    td_sys = td_libc;
    if (!bench)
        return 0;
    td_target_stop(bench->target, false);
    reports_free(&bench->reports);
    scratch_remove(bench->path, bench->source);
    member_free(&bench->member);
    return 0;
}

#define NEED_ROOT()                                                                                                    \
    do {                                                                                                               \
        if (!possible)                                                                                                 \
            skip();                                                                                                    \
    } while (0)

static void assert_done(struct bench *bench, int64_t id, int error) {
    const struct report *report = reports_find(&bench->reports, TD_A, id);
    if (report->error != error)
        fail_msg("operation %lld: %d (%s), not %d", (long long)id, report->error, report->text, error);
}

static void assert_clean(struct bench *bench) {
    assert_int_equal(names_in(bench->member.store, "staging"), 0);
}

/* Attributes of a directory last, although what comes into it is put there at the end of the batch. */
static void directories_keep_their_times(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000, .tv_nsec = 5}};
    put_text(bench->source, "d/f", "x");
    assert_int_equal(fchmodat(bench->source, "d", 02775, 0), 0);
    assert_int_equal(utimensat(bench->source, "d", times, 0), 0);
    assert_int_equal(utimensat(bench->source, ".", times, 0), 0);
    submit(bench->target, 1, TD_ACT_MKDIR, bench->source, "", NULL);
    submit(bench->target, 2, TD_ACT_MKDIR, bench->source, "d", NULL);
    submit(bench->target, 3, TD_ACT_MKDIR, bench->source, "d", NULL);
    assert_int_equal(copy_to(bench->target, 4, bench->source, "d/f"), TD_COPY_READ);
    submit(bench->target, 5, TD_ACT_ATTRIBUTES, bench->source, "d", NULL);
    submit(bench->target, 6, TD_ACT_ATTRIBUTES, bench->source, "", NULL);
    td_target_flush(bench->target);
    for (int64_t id = 1; id <= 6; id++)
        assert_done(bench, id, 0);
    struct stat st;
    assert_int_equal(fstatat(bench->member.collection, "d", &st, 0), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(st.st_mtim.tv_nsec, 5);
    assert_int_equal(st.st_mode & 07777, 02775);
    assert_int_equal(fstat(bench->member.collection, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_text(bench->member.collection, "d/f", "x");
}

static void run_tool(struct bench *bench, const char *tool, const char *option, const char *value, const char *name) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", bench->path, name);
    const char *const argv[] = {tool, option, value ? value : path, value ? path : NULL, NULL};
    assert_int_equal(member_run(argv), 0);
}

static void fidelity_of_files(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    char path[128];
    put_text(bench->source, "f", "x");
    snprintf(path, sizeof(path), "%s/f", bench->path);
    assert_int_equal(chown(path, 1234, 2345), 0);
    assert_int_equal(chmod(path, 06755), 0);
    assert_int_equal(setxattr(path, "user.a", "1", 1, 0), 0);
    assert_int_equal(setxattr(path, "trusted.b", "\0\1", 2, 0), 0);
    run_tool(bench, "setfacl", "-m", "u:77:rw", "f");
    run_tool(bench, "setcap", "cap_net_raw+ep", NULL, "f");
    assert_int_equal(chmod(path, 06755), 0);
    put_link(bench->source, "l", "no/such target");
    snprintf(path, sizeof(path), "%s/l", bench->path);
    assert_int_equal(lchown(path, 9, 10), 0);
    put_fifo(bench->source, "p");
    assert_int_equal(mknodat(bench->source, "dev", S_IFBLK | 0600, (dev_t)0x801), 0);
    assert_int_equal(copy_to(bench->target, 1, bench->source, "f"), TD_COPY_READ);
    submit(bench->target, 2, TD_ACT_SPECIAL, bench->source, "l", NULL);
    submit(bench->target, 3, TD_ACT_SPECIAL, bench->source, "p", NULL);
    submit(bench->target, 4, TD_ACT_SPECIAL, bench->source, "dev", NULL);
    td_target_flush(bench->target);
    static const char *const names[] = {"f", "l", "p", "dev"};
    for (int i = 0; i < 4; i++) {
        struct td_entry want, is;
        assert_done(bench, i + 1, 0);
        assert_int_equal(td_entry_read(bench->source, names[i], &want), 0);
        assert_int_equal(td_entry_read(bench->member.collection, names[i], &is), 0);
        assert_true(td_entry_same_content(&want, &is));
        assert_true(td_entry_same_attributes(&want, &is));
        assert_int_equal(td_hash_is_zero(is.xattrs), i != 0);
        td_cleanup_ptr(&want.target);
        td_cleanup_ptr(&is.target);
    }
}

/* --- odd sizes and names -------------------------------------------------------------------------------------- */

static void holes_are_kept(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    TD_AUTOCLOSE int fd = openat(bench->source, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(pwrite(fd, "middle", 6, 300 << 20), 6);
    assert_int_equal(ftruncate(fd, 600 << 20), 0); /* ten times what the member holds */
    put_bytes(bench->source, "solid", 9 << 20, 3);
    assert_int_equal(copy_to(bench->target, 1, bench->source, "sparse"), TD_COPY_READ);
    assert_int_equal(copy_to(bench->target, 2, bench->source, "solid"), TD_COPY_READ);
    td_target_flush(bench->target);
    assert_done(bench, 1, 0);
    assert_done(bench, 2, 0);
    struct stat st;
    assert_int_equal(fstatat(bench->member.collection, "sparse", &st, 0), 0);
    assert_int_equal(st.st_size, 600 << 20);
    assert_true(st.st_blocks * 512 <= 1 << 20);
    assert_int_equal(fstatat(bench->member.collection, "solid", &st, 0), 0);
    assert_int_equal(st.st_blocks * 512, 9 << 20);
    char text[8] = "";
    TD_AUTOCLOSE int copy = openat(bench->member.collection, "sparse", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(copy, text, 6, 300 << 20), 6);
    assert_string_equal(text, "middle");
    assert_clean(bench);
}

static void deep_paths_and_long_names(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    TD_AUTOFREE char *deep = malloc(40 * 256 + 1);
    assert_non_null(deep);
    deep[0] = '\0';
    for (int i = 0; i < 40; i++)
        snprintf(deep + i * 256, 257, "%s%s", name, i < 39 ? "/" : "");
    put_text(bench->member.collection, deep, "old");
    put_text(bench->source, deep, "new");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(copy_to(bench->target, i, bench->source, deep), TD_COPY_READ);
        td_target_flush(bench->target);
        assert_done(bench, i, 0);
    }
    assert_text(bench->member.collection, deep, "new");
    TD_AUTOCLOSE int kept = td_open_beneath(bench->member.store, "history/" RUN, O_RDONLY | O_DIRECTORY, 0);
    assert_text(kept, deep, "old");
    struct td_expired expired;
    td_target_stop(bench->target, false);
    assert_int_equal(td_history_drop_oldest(bench->member.store, NULL, &expired, NULL), 0);
    assert_int_equal(expired.files, 3);
    assert_int_equal(names_in(bench->member.store, "history"), 0);
    bench->target = member_start(&bench->member, TD_A, bench->source, RUN, &bench->reports);
}

int main(void) {
    possible = member_possible();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(directories_keep_their_times),
        TEST(fidelity_of_files),
        TEST(holes_are_kept),
        TEST(deep_paths_and_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
