/* Names of runs in history, and giving them up. */
#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/sync/history.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct store {
    char path[64];
    int fd;
};

static int set_up(void **state) {
    static struct store store;
    store.fd = scratch_make(store.path);
    *state = &store;
    return 0;
}

static int tear_down(void **state) {
    struct store *store = *state;
    scratch_remove(store->path, store->fd);
    return 0;
}

static void names_sort_by_age(void **state) {
    (void)state;
    char name[TD_HISTORY_NAME_MAX];
    td_history_name(name, 42, 1409688004);
    assert_string_equal(name, "00000042-20140902T200004Z");
    td_history_name(name, 123456789012, 0);
    assert_string_equal(name, "123456789012-19700101T000000Z");
}

static void expiry_goes_by_the_number(void **state) {
    struct store *store = *state;
    struct td_expired out;
    assert_int_equal(td_history_expire(store->fd, 9, 1600000000, NULL, &out, NULL), 0); /* there is no history at all */
    assert_int_equal(out.runs, 0);
    put_text(store->fd, "history/00000001-20140902T200004Z/a/b", "12345");
    put_text(store->fd, "history/00000001-20140902T200004Z/c", "123");
    put_link(store->fd, "history/00000001-20140902T200004Z/l", "../..");
    put_text(store->fd, "quarantine/00000001-20140902T200004Z/q", "1");
    put_text(store->fd, "history/00000002-20140902T200005Z/a", "x");
    put_text(store->fd, "history/00000003-20200902T200005Z/a", "x");
    put_text(store->fd, "history/notes/a", "x");
    put_text(store->fd, "history/00000001-20141302T200004Z/a", "x"); /* no such month */
    put_text(store->fd, "history/recovered/swap-1", "x");
    put_text(store->fd, "history/00000004-19720127T014606Z/a", "x"); /* the clock was wrong */
    assert_int_equal(td_history_expire(store->fd, 0, 0, NULL, &out, NULL), 0);
    assert_int_equal(out.runs, 0);
    assert_int_equal(td_history_expire(store->fd, 2, 1500000000, "00000002-20140902T200005Z", &out, NULL), 0);
    assert_int_equal(out.runs, 2); /* one in each store */
    assert_int_equal(out.files, 4);
    assert_int_equal(out.bytes, 9);
    assert_int_equal(kind_of(store->fd, "history/00000001-20140902T200004Z"), 0);
    assert_int_equal(kind_of(store->fd, "quarantine/00000001-20140902T200004Z"), 0);
    assert_int_equal(names_in(store->fd, "history"), 6);
    assert_text(store->fd, "history/recovered/swap-1", "x");
    const struct timespec times[2] = {{.tv_sec = 1400000000}, {.tv_sec = 1400000000}}, lost[2] = {{.tv_sec = 60}, {0}};
    assert_int_equal(utimensat(store->fd, "history/recovered", lost, 0), 0);
    assert_int_equal(td_history_expire(store->fd, 0, 1500000000, NULL, &out, NULL), 0);
    assert_int_equal(td_history_expire(store->fd, 0, 1500000000, NULL, &out, NULL), 0); /* its time counts from now */
    assert_text(store->fd, "history/recovered/swap-1", "x");
    assert_int_equal(utimensat(store->fd, "history/recovered", times, 0), 0);
    assert_int_equal(td_history_expire(store->fd, 2, 1500000000, "00000002-20140902T200005Z", &out, NULL), 0);
    assert_int_equal(out.runs, 1);
    assert_int_equal(kind_of(store->fd, "history/recovered"), 0);
}

static void the_oldest_run_goes_first(void **state) {
    struct store *store = *state;
    struct td_expired out;
    assert_int_equal(td_history_drop_oldest(store->fd, NULL, &out, NULL), -ENOENT);
    put_text(store->fd, "history/00000009-20200101T000000Z/a", "x");
    put_text(store->fd, "history/100000000-20100101T000000Z/a", "x"); /* the number counts, not the clock */
    put_text(store->fd, "quarantine/00000008-20210101T000000Z/a", "x");
    put_text(store->fd, "history/recovered/a", "x");
    put_text(store->fd, "history/other/a", "x");
    const char *except = "00000009-20200101T000000Z";
    assert_int_equal(td_history_drop_oldest(store->fd, except, &out, NULL), 0);
    assert_int_equal(out.files, 1);
    assert_int_equal(names_in(store->fd, "quarantine"), 0);
    assert_int_equal(td_history_drop_oldest(store->fd, except, &out, NULL), 0);
    assert_int_equal(kind_of(store->fd, "history/100000000-20100101T000000Z"), 0);
    assert_int_equal(td_history_drop_oldest(store->fd, except, &out, NULL), 0);
    assert_int_equal(kind_of(store->fd, "history/recovered"), 0);
    assert_int_equal(td_history_drop_oldest(store->fd, except, &out, NULL), -ENOENT);
    assert_text(store->fd, "history/00000009-20200101T000000Z/a", "x");
    assert_text(store->fd, "history/other/a", "x");
}

/* Far deeper than PATH_MAX, wider than a read of a directory, and with few descriptors to be had. */
static void trees_of_any_shape_go(void **state) {
    struct store *store = *state;
    struct td_expired out;
    char name[64];
    put_dir(store->fd, "history/00000001-20140902T200004Z");
    int dir = td_open_beneath(store->fd, "history/00000001-20140902T200004Z", O_RDONLY | O_DIRECTORY, 0);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(dir, "deeper", 0755), 0);
        if (i % 100 == 0)
            put_text(dir, "file", "x");
        int next = openat(dir, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(dir);
        dir = next;
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "wide-%d/x", i);
        put_text(dir, name, "x");
    }
    close(dir);
    put_text(store->fd, "outside", "stays");
    put_link(store->fd, "history/00000001-20140902T200004Z/link", "../../outside");
    struct rlimit limit, few = {32, 32};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few.rlim_max = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int rc = td_history_drop_oldest(store->fd, NULL, &out, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(out.runs, 1);
    assert_int_equal(out.files, 30 + 2000 + 1);
    assert_int_equal(names_in(store->fd, "history"), 0);
    assert_text(store->fd, "outside", "stays");
}

/* --- what lies there ------------------------------------------------------------------------------------------- */

#define X64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define Y64 "ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00"

static void places_say_what_they_are(void **state) {
    struct td_place place;
    (void)state;
    td_history_place("r/.deltas/" X64 "-" Y64 ".rdiff", &place);
    assert_int_equal(place.kind, TD_PLACE_DELTA);
    assert_int_equal(place.hash[1], 0x11);
    assert_int_equal(place.base[0], 0xff);
    td_history_place("r/.attributes/" X64 "d", &place);
    assert_int_equal(place.kind, TD_PLACE_ATTRIBUTES);
    static const char *const whole[] = {"r/a",
                                        "r/.deltas/" X64,
                                        "r/.deltas/" X64 "_" Y64 ".rdiff",
                                        "r/.attributes/x",
                                        "r/d/.deltas/" X64 "-" Y64 ".rdiff",
                                        "r"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        td_history_place(whole[i], &place);
        assert_int_equal(place.kind, TD_PLACE_WHOLE);
    }
}

static void places_tell_the_path(void **state) {
    static const struct {
        const char *place, *literal, *stripped;
    } rows[] = {
        {"r/a/b", "a/b", "a/b"},
        {"r/.~2~/a/b", "a/b", "a/b"},
        {"r/a/b.~12~", "a/b.~12~", "a/b"},
        {"r/a/.~1~", "a/.~1~", "a/.~1~"},
        {"r/a.~~", "a.~~", "a.~~"},
        {"r/a.~1~/b", "a.~1~/b", "a.~1~/b"},
        {"r/a.~1~.~2~", "a.~1~.~2~", "a.~1~"},
    };
    TD_AUTOBUF struct td_buf path = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        td_history_path(rows[i].place, false, &path);
        assert_string_equal(td_buf_text(&path), rows[i].literal);
        td_history_path(rows[i].place, true, &path);
        assert_string_equal(td_buf_text(&path), rows[i].stripped);
    }
}

static void index_lines(void **state) {
    TD_AUTOBUF struct td_buf line = {0};
    struct td_version version = {.kind = TD_VERSION_WHOLE, .path = "a\nb\tc\\d\re", .place = "r/x"};
    (void)state;
    version.entry = (struct td_entry){
        .mode = S_IFREG | 0640, .uid = 7, .gid = 8, .size = 12345678901ULL, .mtime = {.tv_sec = -5, .tv_nsec = 60}};
    td_history_index_line(&line, &version);
    assert_string_equal(line.data, "\\whole\t-\t12345678901\t0640\t7\t8\t-5.000000060\t-\tr/x\ta\\nb\\tc\\\\d\\re\n");
    td_buf_clear(&line);
    version.kind = TD_VERSION_DELTA;
    version.path = "";
    version.has_hash = true;
    td_unhex(version.hash, TD_HASH_LEN, X64);
    td_unhex(version.base, TD_HASH_LEN, Y64);
    td_history_index_line(&line, &version);
    assert_string_equal(line.data, "delta\t" X64 "\t12345678901\t0640\t7\t8\t-5.000000060\t" Y64 "\tr/x\t-\n");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_sort_by_age),
        TEST(expiry_goes_by_the_number),
        TEST(the_oldest_run_goes_first),
        TEST(trees_of_any_shape_go),
        cmocka_unit_test(places_say_what_they_are),
        cmocka_unit_test(places_tell_the_path),
        cmocka_unit_test(index_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
