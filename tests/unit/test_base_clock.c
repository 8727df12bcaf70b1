/* base/clock.h: dates, durations and sizes as people read them. */
#include "twindock/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Zones in POSIX form, so that no tzdata is needed. */
#define PACIFIC "PST8PDT,M3.2.0,M11.1.0"
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void zone(const char *tz) {
    assert_int_equal(setenv("TZ", tz, 1), 0);
    tzset();
}

static void date_as_date_prints_it(void **state) {
    (void)state;
    static const struct {
        const char *tz;
        int64_t seconds;
        const char *full, *brief;
    } rows[] = {
        {PACIFIC, 1409713204, "Tue Sep  2 20:00:04 PDT 2014", "Tue Sep  2 20:00:04"},
        {PACIFIC, 1416024000, "Fri Nov 14 20:00:00 PST 2014", "Fri Nov 14 20:00:00"},
        {"UTC0", 0, "Thu Jan  1 00:00:00 UTC 1970", "Thu Jan  1 00:00:00"},
        {"UTC0", -1, "Wed Dec 31 23:59:59 UTC 1969", "Wed Dec 31 23:59:59"},
        {"UTC0", 4294967296, "Sun Feb  7 06:28:16 UTC 2106", "Sun Feb  7 06:28:16"},
        {BERLIN, 1414285200, "Sun Oct 26 02:00:00 CET 2014", "Sun Oct 26 02:00:00"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TD_DATE_MAX];
        zone(rows[i].tz);
        td_format_date(text, rows[i].seconds);
        assert_string_equal(text, rows[i].full);
        td_format_date_short(text, rows[i].seconds);
        assert_string_equal(text, rows[i].brief);
    }
    char text[TD_DATE_MAX];
    td_format_date(text, INT64_MAX);
    assert_string_equal(text, "@9223372036854775807");
}

static void durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"30s", 30},
        {"10m", 600},
        {"2h", 7200},
        {"21d", 1814400},
        {"4w", 2419200},
        {"365000d", 31536000000},
        {"", -EINVAL},
        {"30", -EINVAL},
        {"s", -EINVAL},
        {"-1s", -EINVAL},
        {"+1s", -EINVAL},
        {" 1s", -EINVAL},
        {"1s ", -EINVAL},
        {"1.5h", -EINVAL},
        {"1 h", -EINVAL},
        {"1y", -EINVAL},
        {"1S", -EINVAL},
        {"1hh", -EINVAL},
        {"0x10s", -EINVAL},
        {"366001d", -EINVAL},
        {"00000000000001s", -EINVAL},
        {"99999999999999999999s", -EINVAL},
        {"999999999999w", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (td_parse_duration(rows[i].text) != rows[i].seconds)
            fail_msg("%s: %" PRId64, rows[i].text, td_parse_duration(rows[i].text));
    }
}

static void clocks(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int seconds;
    } rows[] = {
        {"07:00", 25200},   {"7:00", 25200},     {"00:00", 0},       {"23:59", 86340},    {"24:00", -EINVAL},
        {"07:60", -EINVAL}, {"07:0", -EINVAL},   {"07", -EINVAL},    {":00", -EINVAL},    {"007:00", -EINVAL},
        {"", -EINVAL},      {"07:000", -EINVAL}, {"-7:00", -EINVAL}, {"07:00 ", -EINVAL}, {"07:00:00", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (td_parse_clock(rows[i].text) != rows[i].seconds)
            fail_msg("%s: %d", rows[i].text, td_parse_clock(rows[i].text));
    }
}

static void percents(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int value;
    } rows[] = {
        {"10%", 1000},    {"2.5%", 250},     {"0%", 0},          {"100%", 10000},      {"0.05%", 5},
        {"0.50%", 50},    {"99.99%", 9999},  {"100.00%", 10000}, {"100.01%", -EINVAL}, {"101%", -EINVAL},
        {"10", -EINVAL},  {"%", -EINVAL},    {".5%", -EINVAL},   {"1.%", -EINVAL},     {"1.234%", -EINVAL},
        {"-1%", -EINVAL}, {"10%%", -EINVAL}, {"10 %", -EINVAL},  {"1,5%", -EINVAL},    {"", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (td_parse_percent(rows[i].text) != rows[i].value)
            fail_msg("%s: %d", rows[i].text, td_parse_percent(rows[i].text));
    }
}

static void next_clock(void **state) {
    (void)state;
    static const struct {
        const char *tz;
        int64_t now;
        const char *clock;
        int64_t next;
    } rows[] = {
        {"UTC0", 1000000000, "07:00", 1000018800}, /* Sun Sep  9 01:46:40 2001: this morning */
        {"UTC0", 1000018799, "07:00", 1000018800},
        {"UTC0", 1000018800, "07:00", 1000105200}, /* at the very second: tomorrow's */
        {"UTC0", 1000000000, "00:00", 1000080000},
        {PACIFIC, 1409713204, "07:00", 1409752800}, /* Sep  3 07:00 PDT */
        /* Berlin, night of Oct 26 2014: 02:30 comes twice, at 00:30 and 01:30 UTC. */
        {BERLIN, 1414274400, "02:30", 1414283400},
        {BERLIN, 1414283400, "02:30", 1414287000},
        {BERLIN, 1414287000, "02:30", 1414373400},
        /* Over the change the day has 25 hours. */
        {BERLIN, 1414220400, "07:00", 1414303200},
        /* Berlin, night of Mar 29 2015: 02:30 does not exist; the night still ends, within an hour of it. */
        {BERLIN, 1427583600, "07:00", 1427605200},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        zone(rows[i].tz);
        int64_t next = td_next_clock(rows[i].now, td_parse_clock(rows[i].clock));
        if (next != rows[i].next)
            fail_msg("row %zu: %" PRId64, i, next);
    }
    zone(BERLIN);
    const int64_t change = 1427590800; /* 01:00 UTC: 02:00 becomes 03:00 */
    int64_t next = td_next_clock(change - 3600, td_parse_clock("02:30"));
    assert_in_range(next, change - 3600 + 1, change + 3600);
}

static void sizes(void **state) {
    (void)state;
    const uint64_t k = 1024, m = k * k, g = m * k, t = g * k, p = t * k, e = p * k;
    const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0"},
        {999, "999"},
        {1023, "1023"},
        {k, "1.0K"},
        {k + 1, "1.1K"},
        {1126, "1.1K"},
        {1127, "1.2K"},
        {99 * k / 10, "9.9K"},
        {99 * k / 10 + 1, "10K"},
        {10 * k, "10K"},
        {10 * k + 1, "11K"},
        {999 * k, "999K"},
        {999 * k + 1, "1.0M"},
        {1000 * k, "1.0M"},
        {1024 * k, "1.0M"},
        {66 * g, "66G"},
        {374 * g, "374G"},
        {1000 * g, "1.0T"},
        {1331 * g, "1.3T"},
        {1332 * g, "1.4T"},
        {24 * t / 10, "2.4T"},
        {999 * p, "999P"},
        {1000 * p, "1.0E"},
        {e + 1, "1.1E"},
        {e * 9 + e / 10 * 9, "9.9E"},
        {UINT64_MAX, "16E"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TD_SIZE_MAX];
        td_format_size(text, rows[i].bytes);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%" PRIu64 ": %s, not %s", rows[i].bytes, text, rows[i].text);
    }
}

/* Against arithmetic that is plain and slow: never too small, and too big by less than the last digit. */
static void sizes_round_up(void **state) {
    (void)state;
    static const char units[] = "KMGTPE";
    for (uint64_t bytes = 1024; bytes < UINT64_MAX / 3; bytes += bytes / 37 + 1) {
        char text[TD_SIZE_MAX], *unit;
        td_format_size(text, bytes);
        double shown = strtod(text, &unit), step = strchr(text, '.') ? 0.1 : 1.0;
        const char *found = strchr(units, *unit);
        assert_non_null(found);
        double scale = 1024;
        for (const char *u = units; u < found; u++)
            scale *= 1024;
        assert_true(shown * scale > (double)bytes * (1 - 1e-12));
        /* 999.1K has to become 1.0M: there the step is 25K. */
        double slack = shown <= 1.0 ? 0.025 : step;
        assert_true((shown - slack) * scale < (double)bytes);
    }
}

static void spans(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-5, "0 s"},    {0, "0 s"},          {40, "40 s"},
        {59, "59 s"},   {60, "1 min"},       {3599, "59 min"},
        {3600, "1 h"},  {7500, "2 h 5 min"}, {86399, "23 h 59 min"},
        {86400, "1 d"}, {90000, "1 d 1 h"},  {INT64_MAX, "106751991167300 d 15 h"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[32];
        td_format_span(text, rows[i].seconds);
        assert_string_equal(text, rows[i].text);
    }
}

static void clocks_run(void **state) {
    (void)state;
    int64_t before = td_boot_ns();
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
    assert_true(td_boot_ns() - before >= 2000000);
    assert_true(llabs((long long)td_wall_seconds() - (long long)time(NULL)) <= 1);
}

static void moments(void **state) {
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_int_equal(td_parse_moment("2014-09-02 20:00:04"), 1409688004);
    assert_int_equal(td_parse_moment("2014-09-02T20:00:04"), 1409688004);
    char text[TD_MOMENT_MAX];
    td_format_moment(text, 1409688004);
    assert_string_equal(text, "2014-09-02 20:00:04");
    assert_int_equal(td_parse_moment("2014-09-02 20:00"), 1409688000);
    assert_int_equal(td_parse_moment("2014-09-02"), 1409702399); /* its last second */
    setenv("TZ", "America/Los_Angeles", 1);
    tzset();
    assert_int_equal(td_parse_moment("2014-09-02 20:00:04"), 1409713204);
    static const char *const bad[] = {"",           "yesterday",        "2014-09",
                                      "2014-02-30", "2014-09-02 25:00", "2014-09-02 20:00:04x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(td_parse_moment(bad[i]), -EINVAL);
}

int main(void) {
    setlocale(LC_ALL, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_as_date_prints_it),
        cmocka_unit_test(durations),
        cmocka_unit_test(clocks),
        cmocka_unit_test(percents),
        cmocka_unit_test(moments),
        cmocka_unit_test(next_clock),
        cmocka_unit_test(sizes),
        cmocka_unit_test(sizes_round_up),
        cmocka_unit_test(spans),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
