/* run/commands.h: --info, from a ledger in which this process is the one that runs. */
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/ledger/mails.h"
#include "twindock/run/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[128];
static struct td_ledger *ledger;
static struct td_pair pair;
static struct td_config config;
static const struct td_app app = {.config = &config};

static int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(file, sizeof(file), "%s/twindock-info-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(file);
    if (fd < 0 || close(fd) < 0 || td_ledger_open(file, &ledger, NULL) < 0)
        return -1;
    config = (struct td_config){.ledger = file};
    pair = (struct td_pair){.uuid = "18e61a61", .collection = "M", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    return td_ledger_add_pair(ledger, &pair, NULL);
}

static int tear_down(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return unlink(file);
}

static int64_t begin(int64_t started) {
    struct td_run run = {.pair = pair.id, .started = started, .verdict = TD_OK, .command = "run"};
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    return run.id;
}

static void end(int64_t id, int exit, int64_t ended) {
    struct td_run run = {.id = id, .pair = pair.id, .ended = ended, .verdict = TD_OK, .exit = exit, .command = "run"};
    run.result = exit == 0 ? TD_RESULT_DONE : TD_RESULT_FAILED;
    snprintf(run.state[TD_A], sizeof run.state[TD_A], "ok");
    snprintf(run.state[TD_B], sizeof run.state[TD_B], "ok");
    assert_int_equal(td_ledger_run_end(ledger, &run, NULL), 0);
}

/* What stands below the table. */
static void assert_below(const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    assert_int_equal(td_command_info(&app, &out, NULL), 0);
    const char *below = strstr(td_buf_text(&out), "\n\n");
    assert_string_equal(below != NULL ? below + 2 : "", expected);
}

static void assert_running(int64_t run, const char *phase, uint64_t done, uint64_t all, const char *expected) {
    assert_int_equal(td_ledger_run_progress(ledger, run, phase, done, all, NULL), 0);
    assert_below(expected);
}

static void how_long_it_will_take(void **state) {
    (void)state;
    int64_t now = td_wall_seconds();
    int64_t first = begin(now - 8000);
    assert_running(first, "looking", 0, 0, "M  running: looking\n"); /* the first one: nobody knows */
    assert_running(first, "copying", 50, 100, "M  running: copying, 50 % done\n");
    end(first, 0, now - 800);
    int64_t second = begin(now);
    assert_running(second, "looking", 0, 0, "M  running: looking, about 2 h left\n");
    assert_running(second, "copying", 50, 100, "M  running: copying, 50 % done, about 2 h left\n");
    assert_running(second, "proving", 50, 100, "M  running: proving, 50 % done\n"); /* has just begun */
    assert_running(second, "waiting for the source", 0, 0, "M  running: waiting for the source\n");
    end(second, 6, now);
    assert_running(begin(now), "looking", 0, 0, "M  running: looking\n"); /* a failed one is no measure */
}

/* A sequence of disks that no device has: whatever was said of them, they are not there. */
static void disks_that_are_gone(void **state) {
    (void)state;
    int64_t now = td_wall_seconds(), run = begin(now);
    end(run, 0, now);
    static const char *const disks[] = {"A 7:0/18446744073709551615 B 7:1/18446744073709551615", "A 7:0/0", "", "A",
                                        "nonsense 7:0/1"};
    for (size_t i = 0; i < sizeof disks / sizeof *disks; i++) {
        assert_int_equal(td_ledger_run_safe(ledger, run, "Both disks are safe to remove.", disks[i], NULL), 0);
        assert_below("");
    }
}

static void mails_that_nobody_got(void **state) {
    (void)state;
    int64_t now = td_wall_seconds();
    char date[TD_DATE_MAX], expected[300];
    end(begin(now), 0, now);
    assert_int_equal(td_ledger_mail_add(ledger, 0, "run", now, "s", "m", NULL), 0);
    td_format_date_short(date, now);
    snprintf(expected, sizeof expected,
             "Mail: 1 mail could not be sent since %s: It has not been handed over yet. The next run tries again; "
             "`twindock mail-test` tells whether mail works.\n",
             date);
    assert_below(expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(how_long_it_will_take),
        TEST(disks_that_are_gone),
        TEST(mails_that_nobody_got),
    };
    return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
