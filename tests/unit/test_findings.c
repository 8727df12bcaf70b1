/* Findings in words: how many files they are, and what is to be done. */
#include "twindock/report/document.h"
#include "twindock/report/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct td_run make_run(void) {
    return (struct td_run){.id = 7, .collection = "M", .command = "run", .verdict = TD_OK, .result = TD_RESULT_DONE};
}

static void assert_sentence(const struct td_report *report, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_report_sentence(report, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

static void assert_subject(const struct td_report *report, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_subject_of_run(report, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

/* A file that is wrong on both members is one file, whatever else is told of it in between. */
static void test_files_are_counted_once(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident rotten[] = {
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "a", 'A', NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "a", 'B', NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "b", 'A', "No such file or directory"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "b", 'B', "No such file or directory"},
    };
    struct td_report report = {.run = &run, .incidents = rotten, .incident_count = 4};
    snprintf(run.command, sizeof run.command, "verify");
    run.exit = TD_EXIT_ROT;
    run.counts = (struct td_counts){.unreadable = 4};
    assert_sentence(&report, "1 file has rotted on the disks (M/a). 1 file is missing on the disks (M/b). `twindock "
                             "verify` repairs nothing; `twindock run` does.");
    report.incidents = &rotten[2];
    report.incident_count = 2;
    run.counts.unreadable = 200; /* the list is cut */
    assert_sentence(&report, "100 files are missing on the disks. `twindock verify` repairs nothing; `twindock run` "
                             "does.");

    const struct td_incident repaired[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'A', NULL},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'A', TD_DETAIL_VERSION "its version of 2026-11-01"},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'B', NULL},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'B', TD_DETAIL_VERSION "its version of 2026-11-01"},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'B', TD_DETAIL_VERSION "its version of 2026-11-02"},
    };
    snprintf(run.command, sizeof run.command, "run");
    report = (struct td_report){.run = &run, .incidents = repaired, .incident_count = 5};
    run.counts = (struct td_counts){.repaired = 5};
    assert_sentence(&report, "3 files on the disks had rotted and were repaired. Nothing needs to be done now; a disk "
                             "on which rot is found again is not to be relied on.");
}

/* What could not be written is no trouble of reading, and what is hidden is not to be waited for. */
static void test_what_could_not_be_copied(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident incidents[] = {
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "a", 'A', "cannot exchange a: Operation not permitted"},
        {TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, "a", 'A', NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "a", 'A', "cannot exchange a: Operation not permitted"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "b", 'B', "cannot exchange b: Operation not permitted"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "below", 0, TD_DETAIL_MOUNTED_OVER},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 3};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts = (struct td_counts){.unreadable = 2, .noted = 1};
    assert_sentence(&report, "1 file could not be written on member A (M/a). The reason: cannot exchange a: Operation "
                             "not permitted. Put that right and run again; what was there of it before is kept.");
    assert_subject(&report, "M: 1 file could not be written on member A");
    report.incident_count = 4;
    run.counts.unreadable = 3;
    assert_sentence(&report, "2 files could not be written on the disks. The reasons stand beside the names in the "
                             "report. Put that right and run again; what was there of them before is kept.");
    report.incidents = &incidents[4];
    report.incident_count = run.counts.unreadable = 1;
    assert_sentence(&report, "1 directory of the source is hidden by what is mounted there (M/below). What was backed "
                             "up from it is kept. Unmount what hides it and run again; or set `one_filesystem = no`, "
                             "and what is mounted is backed up in its place.");
    assert_subject(&report, "M: something is mounted over its source");
    TD_AUTOBUF struct td_buf list = {0};
    report.incidents = &incidents[1];
    run.counts = (struct td_counts){.noted = 1};
    td_report_list(&report, 20, &list);
    assert_string_equal(td_buf_text(&list),
                        "  M/a: was not up to date on member A and has never been proven there as it is now\n");
}

static void test_files_that_find_no_room(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident list[] = {{TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "a", 'B', "Input/output error"},
                                 {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "film", 'A', TD_DETAIL_NO_ROOM},
                                 {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "film", 'B', TD_DETAIL_NO_ROOM}};
    struct td_report report = {.run = &run, .incidents = &list[1], .incident_count = 2};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts = (struct td_counts){.files = 9, .unreadable = 2};
    assert_sentence(&report,
                    "1 file finds no room on the disks (M/film). Make room in the collection, leave it out with "
                    "`exclude`, or take larger disks.");
    report.incident_count = 1;
    run.counts.unreadable = 1;
    assert_sentence(&report,
                    "1 file finds no room on member A (M/film). Make room in the collection, leave it out with "
                    "`exclude`, or take larger disks.");
    report = (struct td_report){.run = &run, .incidents = list, .incident_count = 3};
    run.counts.unreadable = 3;
    assert_sentence(&report,
                    "1 file could not be written on member B (M/a). The reason: Input/output error. Put that right and "
                    "run again; what was there of it before is kept. 1 file finds no room on the disks (M/film). Make "
                    "room in the collection, leave it "
                    "out with `exclude`, or take larger disks.");
}

/* What was missing on a disk had not rotted there. */
static void test_what_was_missing(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident incidents[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, "a", 'A', "No such file or directory"},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, "b", 'A', "No such file or directory"},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "c", 'B', NULL},
    };
    const struct td_incident whole = {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, "", 'B', "No such file or directory"};
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 2};
    run.exit = TD_EXIT_ROT;
    run.counts = (struct td_counts){.repaired = 2};
    assert_sentence(&report, "2 files were missing on member A and were copied again. Nothing needs to be done now; a "
                             "disk that loses files again is not to be relied on.");
    assert_subject(&report, "M: files were missing on member A and were copied again");
    report.incident_count = run.counts.repaired = 3;
    assert_sentence(&report, "1 file on member B had rotted and was repaired from the source (M/c). 2 files were "
                             "missing on member A and were copied again. Nothing needs to be done now; a disk on which "
                             "rot is found again is not to be relied on.");
    assert_subject(&report, "M: rot found and repaired");
    report = (struct td_report){.run = &run, .incidents = &whole, .incident_count = 1};
    run.counts.repaired = 1;
    assert_sentence(&report, "All of M was missing on member B and was copied again. Nothing needs to be done now; a "
                             "disk that loses files again is not to be relied on.");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_counted_once),
        cmocka_unit_test(test_what_could_not_be_copied),
        cmocka_unit_test(test_files_that_find_no_room),
        cmocka_unit_test(test_what_was_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
