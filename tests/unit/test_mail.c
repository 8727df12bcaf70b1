/* The mail: headers that a mailer accepts, a body that reads well, and nothing that a name can break. */
#include "twindock/base/escape.h"
#include "twindock/report/mail.h"
#include "twindock/report/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WED_SEP_10 INT64_C(1410397204) /* Wed Sep 10 18:00:04 PDT 2014 */
#define PAIR "0cfdeff4-6502-6510-8086-145408f4e658"
#define TABLE                                                                                                          \
    "  Last Backup                  Used Free UUID\n"                                                                  \
    "M Tue Sep  2 20:00:04 PDT 2014 1.3T  66G " PAIR "\n"

static char swap_advice[] = "Member B (WD-WCC4N0) is in the source slot. Swap the two disks.";

static int pacific(void **state) {
    (void)state;
    setenv("TZ", "PST8PDT,M3.2.0,M11.1.0", 1);
    tzset();
    return 0;
}

static struct td_run make_run(int code) {
    struct td_run run = {
        .id = 7,
        .collection = "M",
        .uuid = PAIR,
        .dock = "server",
        .command = "run",
        .started = WED_SEP_10,
        .ended = WED_SEP_10 + 60,
        .verdict = TD_OK,
        .result = code == TD_EXIT_OK ? TD_RESULT_DONE : TD_RESULT_FAILED,
        .exit = code,
        .state = {"", "ok", "ok"},
    };
    return run;
}

static struct td_run make_refusal(void) {
    struct td_run run = make_run(TD_EXIT_REFUSED);
    run.result = TD_RESULT_REFUSED;
    run.verdict = TD_SWAPPED;
    run.reason = swap_advice;
    return run;
}

static void test_refusal(void **state) {
    (void)state;
    struct td_run run = make_refusal();
    struct td_report report = {.run = &run};
    struct td_mail mail = {.to = "root", .host = "nas", .when = WED_SEP_10, .report = &report, .info = TABLE};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on nas: M refused: the disks are in each other's slots");
    assert_string_equal(td_buf_text(&out), "To: root\n"
                                           "Subject: twindock on nas: M refused: the disks are in each other's slots\n"
                                           "Date: Wed, 10 Sep 2014 18:00:04 -0700\n"
                                           "MIME-Version: 1.0\n"
                                           "Content-Type: text/plain; charset=utf-8\n"
                                           "Content-Transfer-Encoding: 8bit\n"
                                           "Auto-Submitted: auto-generated\n"
                                           "\n"
                                           "M refused: swapped. Member B (WD-WCC4N0) is in the source\n"
                                           "  slot. Swap the two disks.\n"
                                           "\n"
                                           "Nothing was written to any disk. When the dock is as it\n"
                                           "should be, the next run starts when a disk is inserted, at\n"
                                           "the nightly hour, or by `twindock run`.\n"
                                           "\n"
                                           "Host: nas\n"
                                           "Dock: server\n"
                                           "Pair: " PAIR "\n"
                                           "Started: Wed Sep 10 18:00:04 PDT 2014\n"
                                           "Ended: Wed Sep 10 18:01:04 PDT 2014\n"
                                           "\n" TABLE);
}

static void test_flagged_files_are_capped(void **state) {
    (void)state;
    struct td_run run = make_run(TD_EXIT_ROT);
    struct td_incident incidents[60];
    for (int i = 0; i < 60; i++)
        incidents[i] = (struct td_incident){TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "photos/x.jpg", 'B', NULL};
    run.counts.repaired = 75;
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 60};
    struct td_mail mail = {.to = "root", .host = "nas", .when = WED_SEP_10, .report = &report, .info = TABLE};
    TD_AUTOBUF struct td_buf out = {0};
    td_mail_compose(&mail, &out, NULL);
    const char *text = td_buf_text(&out);
    assert_non_null(strstr(text, "\nSubject: twindock on nas: M: rot found and repaired\n"));
    assert_non_null(strstr(text, "\nFiles:\n  M/photos/x.jpg: had rotted on member B and was repaired\n"));
    assert_non_null(strstr(text, "\n  and 25 more\n\n" TABLE));
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "\n  M/photos/x.jpg: ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, TD_MAIL_INCIDENTS);
}

static void test_own_text(void **state) {
    (void)state;
    struct td_mail mail = {.to = "root",
                           .host = "nas",
                           .when = WED_SEP_10,
                           .subject = "M and S are overdue",
                           .body = "M was last backed up 23 days ago; dock it tonight.\n\nS was never backed up.\n",
                           .info = TABLE};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on nas: M and S are overdue");
    assert_non_null(strstr(td_buf_text(&out), "Auto-Submitted: auto-generated\n\n"
                                              "M was last backed up 23 days ago; dock it tonight.\n\n"
                                              "S was never backed up.\n\n" TABLE));
}

/* --- subjects ---------------------------------------------------------------------------------------- */

static void assert_subject(const struct td_run *run, const char *expected) {
    struct td_report report = {.run = run};
    struct td_mail mail = {.to = "root", .host = "h", .when = WED_SEP_10, .report = &report};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    td_mail_compose(&mail, &out, &subject);
    assert_int_equal(strncmp(td_buf_text(&subject), "twindock on h: ", 15), 0);
    assert_string_equal(td_buf_text(&subject) + 15, expected);
}

static void test_subjects_of_results(void **state) {
    (void)state;
    struct td_run run = make_run(TD_EXIT_MEMBER_LOST);
    snprintf(run.state[TD_B], sizeof run.state[TD_B], "lost");
    assert_subject(&run, "M: member B was lost");
    snprintf(run.state[TD_B], sizeof run.state[TD_B], "full");
    assert_subject(&run, "M: member B is full");
    snprintf(run.state[TD_A], sizeof run.state[TD_A], "lost");
    assert_subject(&run, "M: both members were lost");
    run = make_run(TD_EXIT_ROT);
    assert_subject(&run, "M: rot found");
    run.counts.repaired = 1;
    assert_subject(&run, "M: rot found and repaired");
    run.counts.repaired = 0;
    run.counts.held = 1;
    assert_subject(&run, "M: rot found in the source");
    run.counts.repaired = 1;
    assert_subject(&run, "M: rot found, in the source too");
    run = make_run(TD_EXIT_UNREADABLE);
    run.counts.unreadable = 3;
    assert_subject(&run, "M: 3 files could not be read or copied");
    run.counts.unreadable = 1;
    assert_subject(&run, "M: 1 file could not be read or copied");
    run = make_run(TD_EXIT_INTERNAL);
    assert_subject(&run, "M: failed, exit code 6");
    run = make_run(TD_EXIT_SIGNAL + 9);
    assert_subject(&run, "M: the run was stopped (signal 9)");
    run = make_run(TD_EXIT_SIGNAL + 2);
    assert_subject(&run, "M: the run was stopped (Ctrl-C)");
    run = make_run(TD_EXIT_OK);
    assert_subject(&run, "M: backed up and proven");
    run.result = TD_RESULT_DONE_UNPROVEN;
    assert_subject(&run, "M: backed up, proof not finished");
    run.result = TD_RESULT_INTERRUPTED;
    assert_subject(&run, "M: the run was cut off");
}

/* verify repairs nothing, and no subject may say that it did. */
static void test_subjects_of_what_was_not_repaired(void **state) {
    (void)state;
    const struct td_incident rotten = {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "a", 'B', NULL};
    const struct td_incident gone = {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "b", 'A',
                                     "No such file or directory"};
    struct td_run run = make_run(TD_EXIT_ROT);
    struct td_report report = {.run = &run, .incidents = &rotten, .incident_count = 1};
    struct td_mail mail = {.to = "root", .host = "h", .when = WED_SEP_10, .report = &report};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    snprintf(run.command, sizeof run.command, "verify");
    run.counts.unreadable = 1;
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on h: M: rot found on member B, not repaired");
    assert_null(strstr(td_buf_text(&out), "Nothing needs to be done"));
    assert_non_null(strstr(td_buf_text(&out), "`twindock run` does"));
    td_buf_clear(&subject);
    report.incidents = &gone;
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on h: M: 1 file is missing on member A");
}

static void test_subjects_of_what_finds_no_room(void **state) {
    (void)state;
    struct td_incident list[] = {{TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "film", 'A', TD_DETAIL_NO_ROOM},
                                 {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "film", 'B', TD_DETAIL_NO_ROOM}};
    struct td_run run = make_run(TD_EXIT_UNREADABLE);
    struct td_report report = {.run = &run, .incidents = list, .incident_count = 2};
    struct td_mail mail = {.to = "root", .host = "h", .when = WED_SEP_10, .report = &report};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    run.counts.unreadable = 2;
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on h: M: 1 file finds no room on the disks");
    list[0].cause = list[1].cause = TD_CAUSE_ATTRIBUTES;
    td_buf_clear(&subject);
    td_mail_compose(&mail, &out, &subject);
    assert_string_equal(td_buf_text(&subject), "twindock on h: M: 1 file lacks extended attributes on the disks");
    run = make_run(TD_EXIT_MEMBER_LOST);
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run.state[side], sizeof run.state[side], "full");
    assert_subject(&run, "M: both members are full");
}

static void test_subjects_of_refusals(void **state) {
    (void)state;
    struct td_run run = make_refusal();
    for (int verdict = 0; verdict < TD_OK; verdict++) {
        TD_AUTOBUF struct td_buf expected = {0};
        run.verdict = (enum td_verdict)verdict;
        td_buf_printf(&expected, "M refused: %s", td_verdict_table[verdict].meaning);
        assert_subject(&run, td_buf_text(&expected));
    }
    run.verdict = TD_FOREIGN_DISK;
    run.collection[0] = '\0';
    assert_subject(&run, "dock server refused: a disk that is not enrolled is in the dock");
}

static void test_subject_is_cut(void **state) {
    (void)state;
    char host[300];
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    struct td_mail mail = {.to = "root", .host = host, .when = WED_SEP_10, .subject = "x"};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    td_mail_compose(&mail, &out, &subject);
    assert_int_equal(subject.len, 120);
    assert_string_equal(subject.data + 116, "h...");
}

/* --- RFC 2047 ---------------------------------------------------------------------------------------- */

static void assert_header(const char *value, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_mime_text(&out, "Subject", value);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_encoded_words(void **state) {
    (void)state;
    assert_header("plain", "Subject: plain\n");
    assert_header("M\xc3\xbcsik", "Subject: =?UTF-8?B?TcO8c2lr?=\n");
    assert_header("=?UTF-8?Q?x?=", "Subject: =?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=\n");
    assert_header("a\nBcc: x", "Subject: =?UTF-8?B?YQpCY2M6IHg=?=\n");
}

static void test_long_encoded_subject_is_folded(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf value = {0}, out = {0};
    for (int i = 0; i < 60; i++)
        td_buf_puts(&value, "\xe2\x82\xac"); /* three bytes each */
    td_buf_puts(&value, "\xc3\xa9");
    td_mime_text(&out, "Subject", td_buf_text(&value));
    assert_non_null(strstr(td_buf_text(&out), "?=\n =?UTF-8?B?"));
    for (const char *line = td_buf_text(&out); *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t len = strcspn(line, "\n");
        assert_in_range(len, 1, 76);
        const char *word = strstr(line, "=?UTF-8?B?");
        assert_non_null(word);
        /* Whole characters in each word: base64 of three bytes needs no padding before the last. */
        if (line[len + 1] != '\0')
            assert_int_not_equal(line[len - 3], '=');
    }
}

static void test_addresses_and_dates(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    td_mime_address(&out, "To", "a@b, c@d\nBcc: e@f\x9b");
    assert_string_equal(td_buf_text(&out), "To: a@b, c@d?Bcc: e@f?\n");
    td_buf_clear(&out);
    setenv("TZ", "<+0530>-5:30", 1);
    tzset();
    td_mime_date(&out, 1409713204);
    assert_string_equal(td_buf_text(&out), "Date: Wed, 3 Sep 2014 08:30:04 +0530\n");
    td_buf_clear(&out);
    setenv("TZ", "<-0330>3:30", 1);
    tzset();
    td_mime_date(&out, 1409713204);
    assert_string_equal(td_buf_text(&out), "Date: Tue, 2 Sep 2014 23:30:04 -0330\n");
}

/* --- hostile names ----------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

/* A text of pieces that would do harm if they came through. */
static void make_hostile(struct td_buf *out, uint32_t *seed) {
    static const char *const pieces[] = {
        "\n",
        "\r",
        "\r\n",
        "\x1b[2J",
        "\x9b[31m",
        "\xc2\x9b",
        "\xe2\x80\xae",
        "\xe2\x80\xa8",
        "\xff",
        "\xc3",
        "\t",
        "\x7f",
        "Bcc: evil@example.org",
        "Subject: fine",
        "From ",
        ".",
        " ",
        "\n\n",
        "\\",
        "%s%n",
        "=?UTF-8?Q?x?=",
        "\xc3\xa9",
        "a b",
    };
    td_buf_clear(out);
    for (uint32_t n = 1 + next_random(seed) % 12; n > 0; n--)
        td_buf_puts(out, pieces[next_random(seed) % (sizeof pieces / sizeof *pieces)]);
}

static const char *const headers[] = {"To: ",
                                      "Subject: ",
                                      "Date: ",
                                      "MIME-Version: ",
                                      "Content-Type: ",
                                      "Content-Transfer-Encoding: ",
                                      "Auto-Submitted: "};

/* The seven headers in their order, folded lines allowed for the subject alone; returns the body. */
static const char *assert_headers(const char *text) {
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        assert_int_equal(strncmp(text, headers[i], strlen(headers[i])), 0);
        text = strchr(text, '\n') + 1;
        while (i == 1 && strncmp(text, " =?UTF-8?B?", 11) == 0)
            text = strchr(text, '\n') + 1;
    }
    assert_int_equal(*text, '\n');
    return text + 1;
}

/* Every line of the body begins with something that was written here, and is printable. */
static void assert_body(const char *line) {
    static const char *const begins[] = {"M refused: swapped. ",
                                         "  ",
                                         "Nothing was",
                                         "should be",
                                         "the nightly",
                                         "Host: ",
                                         "Dock: ",
                                         "Pair: ",
                                         "Started: ",
                                         "Ended: ",
                                         "Files:",
                                         "M "};
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        bool known = len == 0;
        for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
            known = known || strncmp(line, begins[i], strlen(begins[i])) == 0;
        assert_true(known);
        assert_in_range(len, 0, 998);
        TD_AUTOBUF struct td_buf raw = {0}, shown = {0};
        for (size_t i = 0; i < len; i++)
            if (line[i] != '\\')
                td_buf_putc(&raw, line[i]);
        td_escape(&shown, td_buf_text(&raw), raw.len);
        assert_string_equal(td_buf_text(&raw), td_buf_text(&shown));
        line += len + 1;
    }
}

static void check_hostile(uint32_t *seed) {
    TD_AUTOBUF struct td_buf to = {0}, host = {0}, dock = {0}, reason = {0}, path = {0}, detail = {0}, info = {0};
    TD_AUTOBUF struct td_buf out = {0}, subject = {0};
    struct td_run run = make_refusal();
    make_hostile(&to, seed);
    make_hostile(&host, seed);
    make_hostile(&dock, seed);
    make_hostile(&reason, seed);
    make_hostile(&path, seed);
    make_hostile(&detail, seed);
    snprintf(run.dock, sizeof run.dock, "%s", td_buf_text(&dock));
    run.reason = reason.data;
    struct td_incident incident = {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, td_buf_text(&path), 0, td_buf_text(&detail)};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    struct td_mail mail = {.to = td_buf_text(&to), .host = td_buf_text(&host), .when = WED_SEP_10, .report = &report};
    td_buf_puts(&info, "M \x1b[2J\xff\r\n");
    mail.info = td_buf_text(&info);
    td_mail_compose(&mail, &out, &subject);
    assert_body(assert_headers(td_buf_text(&out)));
    assert_null(strpbrk(td_buf_text(&subject), "\r\n\x1b"));
    assert_true(td_utf8_valid(td_buf_text(&out), out.len));
}

static void test_nothing_can_be_injected(void **state) {
    (void)state;
    uint32_t seed = 20140910;
    for (int i = 0; i < 2000; i++)
        check_hostile(&seed);
}

static void test_long_names_are_cut(void **state) {
    (void)state;
    struct td_run run = make_run(TD_EXIT_UNREADABLE);
    TD_AUTOBUF struct td_buf path = {0}, out = {0};
    for (int i = 0; i < 1500; i++)
        td_buf_puts(&path, "\xc3\xa9");
    struct td_incident incident = {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, td_buf_text(&path), 0, NULL};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    struct td_mail mail = {.to = "root", .host = "nas", .when = WED_SEP_10, .report = &report};
    td_mail_compose(&mail, &out, NULL);
    assert_true(td_utf8_valid(td_buf_text(&out), out.len));
    for (const char *line = td_buf_text(&out); *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 998);
    assert_non_null(strstr(td_buf_text(&out), "\xc3\xa9...\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_refusal, pacific),
        cmocka_unit_test_setup(test_flagged_files_are_capped, pacific),
        cmocka_unit_test_setup(test_own_text, pacific),
        cmocka_unit_test_setup(test_subjects_of_results, pacific),
        cmocka_unit_test_setup(test_subjects_of_what_was_not_repaired, pacific),
        cmocka_unit_test_setup(test_subjects_of_what_finds_no_room, pacific),
        cmocka_unit_test_setup(test_subjects_of_refusals, pacific),
        cmocka_unit_test_setup(test_subject_is_cut, pacific),
        cmocka_unit_test(test_encoded_words),
        cmocka_unit_test(test_long_encoded_subject_is_folded),
        cmocka_unit_test(test_addresses_and_dates),
        cmocka_unit_test_setup(test_nothing_can_be_injected, pacific),
        cmocka_unit_test_setup(test_long_names_are_cut, pacific),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
