/* The --info table to the character, the flags and their reasons, and the JSON. */
#include "twindock/report/info.h"
#include "twindock/report/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TIB (1024.0 * 1024 * 1024 * 1024)
#define GIB (UINT64_C(1024) * 1024 * 1024)

/* 2014, Pacific Daylight Time */
#define TUE_SEP_2 INT64_C(1409713204)  /* Tue Sep  2 20:00:04 */
#define WED_SEP_3 INT64_C(1409799605)  /* Wed Sep  3 20:00:05 */
#define SUN_SEP_7 INT64_C(1410145206)  /* Sun Sep  7 20:00:06 */
#define WED_SEP_10 INT64_C(1410397204) /* Wed Sep 10 18:00:04 */

static void use_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

/* Los Angeles as a rule, so that no zone file is needed. */
static int pacific(void **state) {
    (void)state;
    use_zone("PST8PDT,M3.2.0,M11.1.0");
    return 0;
}

static struct td_info_row make_row(const char *collection, const char *uuid, int64_t last, double used, uint64_t free) {
    struct td_info_row row = {.last_backup = last, .used = (uint64_t)used, .free = free, .sized = true, .flag = ' '};
    snprintf(row.collection, sizeof row.collection, "%s", collection);
    snprintf(row.uuid, sizeof row.uuid, "%s", uuid);
    return row;
}

static void make_sample(struct td_info_row rows[3]) {
    rows[0] = make_row("Tb", "c54d93c9-6502-6510-8086-7395b84d22d7", SUN_SEP_7, 2.4 * TIB, 374 * GIB);
    rows[1] = make_row("S", "0cfdeff4-6502-6510-8086-145408f4e658", WED_SEP_3, 1.4 * TIB, 487 * GIB);
    rows[2] = make_row("M", "18e61a61-6502-6510-8086-0065d1917f97", TUE_SEP_2, 1.3 * TIB, 66 * GIB);
    struct td_info_state state = {
        .last_failed = true,
        .verdict = TD_SWAPPED,
        .last_end = WED_SEP_10,
        .last_reason = "Member B (WD-WCC4N0) is in the source slot. Swap the two disks.",
    };
    td_info_flag(&rows[1], &state);
}

static void assert_printed(struct td_info_row *rows, size_t count, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_info_print(rows, count, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_table(void **state) {
    (void)state;
    struct td_info_row rows[3];
    make_sample(rows);
    assert_printed(
        rows, 3,
        "   Last Backup                  Used Free UUID\n"
        "M  Tue Sep  2 20:00:04 PDT 2014 1.3T  66G 18e61a61-6502-6510-8086-0065d1917f97\n"
        "S !Wed Sep  3 20:00:05 PDT 2014 1.4T 487G 0cfdeff4-6502-6510-8086-145408f4e658\n"
        "Tb Sun Sep  7 20:00:06 PDT 2014 2.4T 374G c54d93c9-6502-6510-8086-7395b84d22d7\n"
        "\n"
        "S  refused Wed Sep 10 18:00:04: swapped. Member B (WD-WCC4N0) is in the source slot. Swap the two disks.\n");
    free(rows[1].reason);
}

static void test_table_without_flags_has_no_lines_below(void **state) {
    (void)state;
    struct td_info_row row = make_row("M", "18e61a61-6502-6510-8086-0065d1917f97", TUE_SEP_2, 0, 0);
    assert_printed(&row, 1,
                   "   Last Backup                  Used Free UUID\n"
                   "M  Tue Sep  2 20:00:04 PDT 2014    0    0 18e61a61-6502-6510-8086-0065d1917f97\n");
}

static void test_never_and_unknown_sizes(void **state) {
    (void)state;
    struct td_info_row rows[2] = {make_row("photos", "18e61a61-6502-6510-8086-0065d1917f97", 0, 0, 0),
                                  make_row("M", "c54d93c9-6502-6510-8086-7395b84d22d7", 0, 0, 0)};
    rows[0].sized = rows[1].sized = false;
    struct td_info_state never = {.never = true, .verdict = TD_OK};
    td_info_flag(&rows[0], &never);
    td_info_flag(&rows[1], &never);
    assert_printed(rows, 2,
                   "       Last Backup                  Used Free UUID\n"
                   "M     ?never                           -    - c54d93c9-6502-6510-8086-7395b84d22d7\n"
                   "photos?never                           -    - 18e61a61-6502-6510-8086-0065d1917f97\n"
                   "\n"
                   "M      never backed up; dock it tonight\n"
                   "photos never backed up; dock it tonight\n");
    free(rows[0].reason);
    free(rows[1].reason);
}

static void test_longer_zone_widens_the_column(void **state) {
    (void)state;
    use_zone("<+0530>-5:30");
    struct td_info_row rows[2] = {make_row("M", "18e61a61-6502-6510-8086-0065d1917f97", TUE_SEP_2, 1.3 * TIB, 66 * GIB),
                                  make_row("N", "c54d93c9-6502-6510-8086-7395b84d22d7", 0, 1024, 1023)};
    assert_printed(rows, 2,
                   "   Last Backup                    Used Free UUID\n"
                   "N  never                          1.0K 1023 c54d93c9-6502-6510-8086-7395b84d22d7\n"
                   "M  Wed Sep  3 08:30:04 +0530 2014 1.3T  66G 18e61a61-6502-6510-8086-0065d1917f97\n");
    use_zone("UTC0");
    assert_printed(rows, 1,
                   "   Last Backup                  Used Free UUID\n"
                   "N  never                        1.0K 1023 c54d93c9-6502-6510-8086-7395b84d22d7\n");
    assert_printed(rows + 1, 1,
                   "   Last Backup                  Used Free UUID\n"
                   "M  Wed Sep  3 03:00:04 UTC 2014 1.3T  66G 18e61a61-6502-6510-8086-0065d1917f97\n");
}

static void test_oldest_first_then_by_name(void **state) {
    (void)state;
    struct td_info_row rows[4] = {make_row("b", "u", TUE_SEP_2, 0, 0), make_row("z", "u", 0, 0, 0),
                                  make_row("a", "u", TUE_SEP_2, 0, 0), make_row("c", "u", TUE_SEP_2 - 1, 0, 0)};
    TD_AUTOBUF struct td_buf out = {0};
    td_info_print(rows, 4, &out);
    assert_string_equal(rows[0].collection, "z");
    assert_string_equal(rows[1].collection, "c");
    assert_string_equal(rows[2].collection, "a");
    assert_string_equal(rows[3].collection, "b");
}

static void test_no_rows(void **state) {
    (void)state;
    assert_printed(
        NULL, 0,
        "No pair is enrolled yet. Put two disks into the dock. New ones become a pair\nwith `twindock format "
        "COLLECTION`; two that hold a backup already are taken up\nwith `twindock enroll COLLECTION`.\n");
}

static void test_what_may_be_taken_out(void **state) {
    (void)state;
    struct td_info_row rows[2] = {make_row("M", "18e61a61-6502-6510-8086-0065d1917f97", TUE_SEP_2, 0, 0),
                                  make_row("S", "0cfdeff4-6502-6510-8086-145408f4e658", WED_SEP_3, 0, 0)};
    char safe[] = "Both disks are safe to remove.", reason[] = "Wed Sep 10 18:00:04: rot found";
    rows[0].safe = rows[1].safe = safe;
    rows[1].flag = '!';
    rows[1].reason = reason;
    assert_printed(rows, 2,
                   "   Last Backup                  Used Free UUID\n"
                   "M  Tue Sep  2 20:00:04 PDT 2014    0    0 18e61a61-6502-6510-8086-0065d1917f97\n"
                   "S !Wed Sep  3 20:00:05 PDT 2014    0    0 0cfdeff4-6502-6510-8086-145408f4e658\n"
                   "\n"
                   "M  Both disks are safe to remove.\n"
                   "S  Wed Sep 10 18:00:04: rot found. Both disks are safe to remove.\n");
}

static void test_mails_that_nobody_got(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    struct td_info_mail mail = {0};
    td_info_print_mail(&mail, &out);
    assert_string_equal(td_buf_text(&out), "");
    mail = (struct td_info_mail){1, WED_SEP_10, "sendmail ended with 75: no\nqueue"};
    td_info_print_mail(&mail, &out);
    assert_string_equal(
        td_buf_text(&out),
        "\nMail: 1 mail could not be sent since Wed Sep 10 18:00:04: sendmail ended with 75: no\\x0aqueue."
        " The next run tries again; `twindock mail-test` tells whether mail works.\n");
    struct td_json *json = td_info_json(NULL, 0);
    td_info_json_mail(&mail, json);
    td_buf_clear(&out);
    td_json_print(json, &out);
    td_json_free(json);
    assert_non_null(strstr(td_buf_text(&out), "\"mail\": {\n"
                                              "    \"kept\": 1,\n"
                                              "    \"since\": \"2014-09-11T01:00:04Z\",\n"
                                              "    \"error\": \"sendmail ended with 75: no\\nqueue\"\n"));
}

/* --- flags ------------------------------------------------------------------------------------------- */

struct flag_case {
    struct td_info_state state;
    char flag;
    const char *reason; /* NULL: none */
};

static const struct flag_case flag_cases[] = {
    {{.verdict = TD_OK}, ' ', NULL},
    {{.running = true, .phase = "proving", .done = 439, .all = 1000}, '*', "running: proving, 43 % done"},
    {{.running = true, .phase = "proving", .done = 999999, .all = 1000000}, '*', "running: proving, 99 % done"},
    {{.running = true, .phase = "proving", .done = 7, .all = 5}, '*', "running: proving, 100 % done"},
    {{.running = true, .phase = "proving", .done = UINT64_MAX / 2, .all = UINT64_MAX},
     '*',
     "running: proving, 50 % done"},
    {{.running = true, .phase = "looking"}, '*', "running: looking"},
    {{.running = true}, '*', "running"},
    {{.running = true, .last_failed = true, .overdue = true, .verdict = TD_SWAPPED}, '*', "running"},
    {{.interrupted = true, .last_end = WED_SEP_10, .verdict = TD_OK},
     '!',
     "the last run was cut off Wed Sep 10 18:00:04; run it again"},
    {{.interrupted = true, .verdict = TD_OK}, '!', "the last run was cut off; run it again"},
    {{.last_failed = true, .verdict = TD_SWAPPED, .last_end = WED_SEP_10, .last_reason = "Swap the two disks."},
     '!',
     "refused Wed Sep 10 18:00:04: swapped. Swap the two disks."},
    {{.last_failed = true, .verdict = TD_SWAPPED, .last_end = WED_SEP_10, .last_reason = "swapped. Swap them."},
     '!',
     "refused Wed Sep 10 18:00:04: swapped. Swap them."},
    {{.last_failed = true, .verdict = TD_BRAKE, .last_end = WED_SEP_10},
     '!',
     "refused Wed Sep 10 18:00:04: brake: too much would be deleted or changed"},
    {{.last_failed = true, .verdict = TD_OK, .last_end = WED_SEP_10, .last_reason = "member B was lost: I/O error"},
     '!',
     "Wed Sep 10 18:00:04: member B was lost: I/O error"},
    {{.last_failed = true, .verdict = TD_OK, .last_end = WED_SEP_10, .last_exit = 3},
     '!',
     "Wed Sep 10 18:00:04: some files could not be read or copied"},
    {{.last_failed = true, .verdict = TD_OK, .last_end = WED_SEP_10, .last_exit = 137},
     '!',
     "Wed Sep 10 18:00:04: the run was stopped (signal 9)"},
    {{.last_failed = true,
      .verdict = TD_OK,
      .last_end = WED_SEP_10,
      .last_exit = 5,
      .overdue = true,
      .overdue_days = 40},
     '!',
     "Wed Sep 10 18:00:04: rot found (repaired or held). Last backed up 40 days ago"},
    {{.last_failed = true, .verdict = TD_OK, .last_end = WED_SEP_10, .last_exit = 4, .never = true, .overdue = true},
     '!',
     "Wed Sep 10 18:00:04: a member was lost"},
    {{.overdue = true, .overdue_days = 23}, '?', "last backed up 23 days ago; dock it tonight"},
    {{.overdue = true, .overdue_days = 1}, '?', "last backed up 1 day ago; dock it tonight"},
    {{.overdue = true}, '?', "last backed up less than a day ago; dock it tonight"},
    {{.unproven = true}, '?', "some copies have not been proven lately; dock it and let the run end"},
    {{.overdue = true, .overdue_days = 23, .unproven = true},
     '?',
     "last backed up 23 days ago; dock it tonight. Some copies have not been proven lately"},
    {{.unproven = true, .behind = 'B'}, '?', "member B has missed the last backup; dock both disks"},
    {{.overdue = true, .overdue_days = 23, .unproven = true, .behind = 'A'},
     '?',
     "last backed up 23 days ago; dock it tonight. Member A has missed the last backup; dock both disks"},
    {{.unproven = true, .behind = 'B', .mirrored = true},
     '?',
     "member B was not seen when the other was written; compare them with `twindock check --full`"},
    {{.behind = 'B', .mirrored = true}, ' ', NULL},
    {{.never = true, .overdue = true, .overdue_days = 16000, .unproven = true},
     '?',
     "never backed up; dock it tonight"},
    {{.running = true, .phase = "proving", .done = 439, .all = 1000, .left = 7500},
     '*',
     "running: proving, 43 % done, about 2 h 5 min left"},
    {{.running = true, .phase = "waiting for the source"}, '*', "running: waiting for the source"},
    {{.gone = 'B'},
     '?',
     "member B is retired; dock a new disk beside member A and say `twindock enroll M --replace B`"},
    {{.fresh = 'A', .unproven = true, .overdue = true, .overdue_days = 23},
     '?',
     "member A is new and has no backup yet; dock the pair, a run will fill it. Last backed up 23 days ago"},
    {{.last_failed = true, .verdict = TD_OK, .last_end = WED_SEP_10, .last_exit = 4, .gone = 'A'},
     '!',
     "Wed Sep 10 18:00:04: a member was lost"},
};

static void test_flags(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof flag_cases / sizeof *flag_cases; i++) {
        struct td_info_row row = {.collection = "M", .flag = 'x'};
        td_info_flag(&row, &flag_cases[i].state);
        assert_int_equal(row.flag, flag_cases[i].flag);
        if (flag_cases[i].reason == NULL)
            assert_null(row.reason);
        else
            assert_string_equal(row.reason, flag_cases[i].reason);
        free(row.reason);
    }
}

static void test_reasons_are_one_escaped_line(void **state) {
    (void)state;
    struct td_info_row row = make_row("M", "u", TUE_SEP_2, 0, 0);
    struct td_info_state failed = {.last_failed = true,
                                   .verdict = TD_OK,
                                   .last_end = WED_SEP_10,
                                   .last_reason = "cannot read a\nM  fine\x1b[2J\x9b\\x41\xe2\x80\xae"};
    td_info_flag(&row, &failed);
    assert_string_equal(row.reason, "Wed Sep 10 18:00:04: cannot read a\\x0aM  fine\\x1b[2J\\x9b\\x41\\xe2\\x80\\xae");
    TD_AUTOBUF struct td_buf out = {0};
    td_info_print(&row, 1, &out);
    assert_non_null(strstr(td_buf_text(&out), "\nM  Wed Sep 10 18:00:04: cannot read a\\x0aM  fine\\x1b[2J\\x9b\\x41"));
    free(row.reason);
}

/* --- JSON -------------------------------------------------------------------------------------------- */

static void test_json(void **state) {
    (void)state;
    struct td_info_row rows[2] = {make_row("M", "18e61a61-6502-6510-8086-0065d1917f97", TUE_SEP_2, 1024, 2048),
                                  make_row("S", "0cfdeff4-6502-6510-8086-145408f4e658", 0, 0, 0)};
    rows[1].sized = false;
    rows[1].flag = '?';
    rows[1].overdue = true;
    char reason[] = "never backed up; dock it tonight";
    rows[1].reason = reason;
    rows[0].members[0].last_proven = WED_SEP_3;
    char safe[] = "Both disks are safe to remove.";
    rows[0].safe = safe;
    snprintf(rows[0].members[0].identity.serial, sizeof rows[0].members[0].identity.serial, "WD-WCC4N0");
    struct td_json *json = td_info_json(rows, 2);
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(json, &out);
    td_json_free(json);
    assert_string_equal(td_buf_text(&out), "{\n"
                                           "  \"collections\": [\n"
                                           "    {\n"
                                           "      \"collection\": \"S\",\n"
                                           "      \"pair\": \"0cfdeff4-6502-6510-8086-145408f4e658\",\n"
                                           "      \"last_backup\": null,\n"
                                           "      \"used\": null,\n"
                                           "      \"free\": null,\n"
                                           "      \"flag\": \"?\",\n"
                                           "      \"reason\": \"never backed up; dock it tonight\",\n"
                                           "      \"members\": {\n"
                                           "        \"A\": {\n"
                                           "          \"serial\": null,\n"
                                           "          \"last_proven\": null\n"
                                           "        },\n"
                                           "        \"B\": {\n"
                                           "          \"serial\": null,\n"
                                           "          \"last_proven\": null\n"
                                           "        }\n"
                                           "      },\n"
                                           "      \"overdue\": true,\n"
                                           "      \"safe\": null,\n"
                                           "      \"last_drill\": null\n"
                                           "    },\n"
                                           "    {\n"
                                           "      \"collection\": \"M\",\n"
                                           "      \"pair\": \"18e61a61-6502-6510-8086-0065d1917f97\",\n"
                                           "      \"last_backup\": \"2014-09-03T03:00:04Z\",\n"
                                           "      \"used\": 1024,\n"
                                           "      \"free\": 2048,\n"
                                           "      \"flag\": \"\",\n"
                                           "      \"reason\": null,\n"
                                           "      \"members\": {\n"
                                           "        \"A\": {\n"
                                           "          \"serial\": \"WD-WCC4N0\",\n"
                                           "          \"last_proven\": \"2014-09-04T03:00:05Z\"\n"
                                           "        },\n"
                                           "        \"B\": {\n"
                                           "          \"serial\": null,\n"
                                           "          \"last_proven\": null\n"
                                           "        }\n"
                                           "      },\n"
                                           "      \"overdue\": false,\n"
                                           "      \"safe\": \"Both disks are safe to remove.\",\n"
                                           "      \"last_drill\": null\n"
                                           "    }\n"
                                           "  ]\n"
                                           "}\n");
}

static void test_json_without_rows(void **state) {
    (void)state;
    struct td_json *json = td_info_json(NULL, 0);
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(json, &out);
    td_json_free(json);
    assert_string_equal(td_buf_text(&out), "{\n  \"collections\": []\n}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_table, pacific),
        cmocka_unit_test_setup(test_table_without_flags_has_no_lines_below, pacific),
        cmocka_unit_test_setup(test_never_and_unknown_sizes, pacific),
        cmocka_unit_test_setup(test_longer_zone_widens_the_column, pacific),
        cmocka_unit_test_setup(test_oldest_first_then_by_name, pacific),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test_setup(test_what_may_be_taken_out, pacific),
        cmocka_unit_test_setup(test_mails_that_nobody_got, pacific),
        cmocka_unit_test_setup(test_flags, pacific),
        cmocka_unit_test_setup(test_reasons_are_one_escaped_line, pacific),
        cmocka_unit_test_setup(test_json, pacific),
        cmocka_unit_test(test_json_without_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
