/* Progress: the line itself, how often it is drawn on a terminal (a real pty), and one line a minute elsewhere. */
#include "twindock/base/buf.h"
#include "twindock/report/progress.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct td_progress_state proving(void) {
    return (struct td_progress_state){
        .phase = "proving",
        .done = 43,
        .all = 100,
        .side = {{true, 2 * GIB, 4 * GIB}, {true, GIB, 4 * GIB}, {true, 3 * GIB, 4 * GIB}},
    };
}

static void assert_line(const struct td_progress_state *state, uint64_t rate, int64_t left, int width,
                        const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_progress_line(state, rate, left, width, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_line(void **state) {
    (void)state;
    struct td_progress_state now = proving();
    assert_line(&now, 182 * MIB, 12, 80,
                "proving   43 %  source 2.0G/4.0G  A 1.0G/4.0G  B 3.0G/4.0G  182M/s  0:12 left");
    now.side[TD_B].active = false;
    now.side[TD_SOURCE].all = 0;
    assert_line(&now, 0, -1, 80, "proving   43 %  source 2.0G  A 1.0G/4.0G");
    now = (struct td_progress_state){.phase = "copying", .done = 100, .all = 100};
    assert_line(&now, MIB, 3723, 80, "copying  100 %  1.0M/s  1:02:03 left");
    now.done = 101;
    assert_line(&now, 0, 0, 80, "copying  100 %  0:00 left");
    now = (struct td_progress_state){.phase = "looking", .done = 5 * MIB};
    assert_line(&now, 0, -1, 80, "looking  5.0M");
}

static void test_line_is_cut(void **state) {
    (void)state;
    struct td_progress_state now = proving();
    assert_line(&now, 182 * MIB, 12, 77,
                "proving   43 %  source 2.0G/4.0G  A 1.0G/4.0G  B 3.0G/4.0G  182M/s  0:12 left");
    assert_line(&now, 182 * MIB, 12, 76, "proving   43 %  182M/s  0:12 left");
    assert_line(&now, 182 * MIB, 12, 20, "proving   43 %  182M");
    assert_line(&now, 182 * MIB, 12, 0, "");
    assert_line(&now, 182 * MIB, 12, -3, "");
}

static void test_never_done_too_early(void **state) {
    (void)state;
    struct td_progress_state now = {.phase = "proving", .done = 9999, .all = 10000};
    assert_line(&now, 0, -1, 80, "proving   99 %");
}

/* --- where it goes ----------------------------------------------------------------------------------- */

/* What has arrived at `fd`, which must not block. */
static void drain(int fd, struct td_buf *out) {
    char piece[4096];
    td_buf_clear(out);
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;)
        td_buf_add(out, piece, (size_t)n);
}

static void assert_arrived(int fd, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    drain(fd, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_one_line_a_minute(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    struct td_progress *progress = td_progress_new(ends[1], false);
    struct td_progress_state now = {.phase = "copying", .all = 600 * MIB};
    for (int second = 0; second < 60; second++) {
        now.done = (uint64_t)second * MIB;
        td_progress_show(progress, &now, 1000 * S + second * S);
    }
    assert_arrived(ends[0], "");
    for (int second = 60; second <= 180; second++) {
        now.done = (uint64_t)second * MIB;
        td_progress_show(progress, &now, 1000 * S + second * S);
    }
    assert_arrived(ends[0], "copying   10 %  1.0M/s  9:00 left\n"
                            "copying   20 %  1.0M/s  8:00 left\n"
                            "copying   30 %  1.0M/s  7:00 left\n");
    td_progress_clear(progress);
    td_progress_free(progress);
    assert_arrived(ends[0], "");
    close(ends[0]);
    close(ends[1]);
}

static void test_quiet(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    struct td_progress *progress = td_progress_new(ends[1], true);
    struct td_progress_state now = proving();
    td_progress_show(progress, &now, 0);
    td_progress_show(progress, &now, 1000 * S);
    td_progress_free(progress);
    assert_arrived(ends[0], "");
    close(ends[0]);
    close(ends[1]);
    td_progress_free(NULL);
}

struct terminal {
    int master, slave;
};

static struct terminal open_terminal(unsigned short columns) {
    struct terminal terminal;
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    terminal.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal.master >= 0);
    assert_int_equal(grantpt(terminal.master), 0);
    assert_int_equal(unlockpt(terminal.master), 0);
    char name[64];
    assert_int_equal(ptsname_r(terminal.master, name, sizeof name), 0);
    terminal.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal.slave >= 0);
    assert_int_equal(ioctl(terminal.slave, TIOCSWINSZ, &size), 0);
    assert_int_equal(fcntl(terminal.master, F_SETFL, O_NONBLOCK), 0);
    return terminal;
}

static void test_terminal_is_redrawn_in_place(void **state) {
    (void)state;
    struct terminal terminal = open_terminal(80);
    struct td_progress *progress = td_progress_new(terminal.slave, false);
    struct td_progress_state now = {.phase = "copying", .done = 10, .all = 100};
    td_progress_show(progress, &now, 50 * S);
    assert_arrived(terminal.master, "\rcopying   10 %\033[K");
    now.done = 20;
    td_progress_show(progress, &now, 50 * S + S / 10);
    assert_arrived(terminal.master, "");
    td_progress_show(progress, &now, 50 * S + S / 5);
    assert_arrived(terminal.master, "\rcopying   20 %\033[K");
    /* a new phase at once: it may be the last that is heard for a while */
    struct td_progress_state last = {.phase = "finishing"};
    td_progress_show(progress, &last, 50 * S + S / 5 + S / 100);
    assert_arrived(terminal.master, "\rfinishing \033[K");
    struct winsize narrow = {.ws_row = 24, .ws_col = 10};
    assert_int_equal(ioctl(terminal.slave, TIOCSWINSZ, &narrow), 0);
    td_progress_show(progress, &now, 50 * S + S / 2);
    assert_arrived(terminal.master, "\rcopying  \033[K");
    td_progress_clear(progress);
    assert_arrived(terminal.master, "\r\033[K");
    td_progress_clear(progress);
    td_progress_free(progress);
    assert_arrived(terminal.master, "");
    close(terminal.master);
    close(terminal.slave);
}

static void test_at_most_five_times_a_second(void **state) {
    (void)state;
    struct terminal terminal = open_terminal(80);
    struct td_progress *progress = td_progress_new(terminal.slave, false);
    struct td_progress_state now = {.phase = "copying", .all = 10000};
    for (int i = 0; i < 2000; i++) {
        now.done = (uint64_t)i;
        td_progress_show(progress, &now, 7 * S + i * (S / 1000));
    }
    TD_AUTOBUF struct td_buf out = {0};
    drain(terminal.master, &out);
    int drawn = 0;
    for (size_t i = 0; i < out.len; i++)
        drawn += out.data[i] == '\r';
    assert_int_equal(drawn, 10);
    td_progress_free(progress);
    close(terminal.master);
    close(terminal.slave);
}

/* The rate follows the last half minute, and a new phase begins its own. */
static void test_rate_follows(void **state) {
    (void)state;
    struct terminal terminal = open_terminal(80);
    struct td_progress *progress = td_progress_new(terminal.slave, false);
    struct td_progress_state now = {.phase = "copying", .all = 100 * GIB};
    TD_AUTOBUF struct td_buf out = {0};
    int64_t second = 0;
    for (; second < 100; second++, now.done += 100 * MIB)
        td_progress_show(progress, &now, second * S);
    for (; second < 140; second++, now.done += 10 * MIB)
        td_progress_show(progress, &now, second * S);
    drain(terminal.master, &out);
    td_progress_show(progress, &now, second * S);
    drain(terminal.master, &out);
    assert_non_null(strstr(td_buf_text(&out), "  10M/s  "));
    now = (struct td_progress_state){.phase = "proving", .all = 100 * GIB};
    td_progress_show(progress, &now, (second + 1) * S);
    assert_arrived(terminal.master, "\rproving    0 %\033[K");
    now.done = 5 * MIB;
    td_progress_show(progress, &now, (second + 2) * S);
    drain(terminal.master, &out);
    assert_non_null(strstr(td_buf_text(&out), "  5.0M/s  5:41:19 left"));
    td_progress_free(progress);
    close(terminal.master);
    close(terminal.slave);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_line_is_cut),
        cmocka_unit_test(test_never_done_too_early),
        cmocka_unit_test(test_one_line_a_minute),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_terminal_is_redrawn_in_place),
        cmocka_unit_test(test_at_most_five_times_a_second),
        cmocka_unit_test(test_rate_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
