/* What check, run, verify and sync say at their end: the text and the JSON. */
#include "twindock/report/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAIR "0cfdeff4-6502-6510-8086-145408f4e658"

static struct td_run make_run(void) {
    struct td_run run = {
        .id = 7,
        .collection = "M",
        .uuid = PAIR,
        .dock = "server",
        .command = "run",
        .host = "nas",
        .started = 1410397204,
        .ended = 1410397204 + 7500,
        .verdict = TD_OK,
        .result = TD_RESULT_DONE,
        .state = {"", "ok", "ok"},
    };
    run.counts = (struct td_counts){.files = 1234,
                                    .bytes = 2048,
                                    .copied = 3,
                                    .copied_bytes = 1024,
                                    .renamed = 1,
                                    .deleted = 2,
                                    .updated = 4,
                                    .proven = 2468,
                                    .proven_bytes = 4096};
    return run;
}

static void set_state(struct td_run *run, const char *a, const char *b) {
    snprintf(run->state[TD_A], sizeof run->state[TD_A], "%s", a);
    snprintf(run->state[TD_B], sizeof run->state[TD_B], "%s", b);
}

static void assert_sentence(const struct td_report *report, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_report_sentence(report, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

static void assert_report(const struct td_report *report, size_t cap, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_report_print(report, cap, &out);
    assert_string_equal(td_buf_text(&out), expected);
}

/* --- success ----------------------------------------------------------------------------------------- */

static void test_done(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run, .safe = "Safe to remove."};
    assert_report(&report, 20,
                  "M: 1234 files (2.0K), 3 copied (1.0K), 1 renamed, 2 deleted, 4 with new\n"
                  "  attributes, 2468 copies proven (4.0K), in 2 h 5 min.\n"
                  "M is backed up on both disks and proven.\n"
                  "Safe to remove.\n");
    run.counts = (struct td_counts){.files = 1, .bytes = 5, .proven = 1, .proven_bytes = 5};
    run.ended = run.started;
    run.after_interrupted = true;
    report.safe = NULL;
    assert_report(&report, 20,
                  "M: 1 file (5 bytes), 1 copy proven (5 bytes).\n"
                  "The run before this one was cut off; this one went on from there.\n"
                  "M is backed up on both disks and proven.\n");
}

static void test_done_in_part(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run};
    set_state(&run, "ok", "absent");
    assert_sentence(&report, "M is backed up on member A alone and proven.");
    set_state(&run, "absent", "ok");
    assert_sentence(&report, "M is backed up on member B alone and proven.");
    set_state(&run, "unproven", "unproven");
    run.result = TD_RESULT_DONE_UNPROVEN;
    run.counts.left = 40;
    assert_sentence(&report,
                    "M is up to date on both disks; 40 copies are left to prove, and the next run begins with them.");
    run.counts.left = 1;
    assert_sentence(&report,
                    "M is up to date on both disks; 1 copy is left to prove, and the next run begins with it.");
}

static void test_done_other_commands(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run};
    snprintf(run.command, sizeof run.command, "verify");
    assert_sentence(&report, "M on both disks was read in full and is proven. The source was not looked at.");
    snprintf(run.command, sizeof run.command, "enroll");
    assert_sentence(&report, "M: enroll is done.");
    snprintf(run.command, sizeof run.command, "sync");
    run.collection[0] = '\0';
    assert_sentence(&report, "Both copies are up to date and proven.");
    set_state(&run, "ok", "");
    assert_sentence(&report, "The copy is up to date and proven.");
}

/* --- refusals ---------------------------------------------------------------------------------------- */

static void test_refused(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run};
    char reason[] = "Member B (WD-WCC4N0) is in the source slot. Swap the two disks.";
    run.result = TD_RESULT_REFUSED;
    run.exit = TD_EXIT_REFUSED;
    run.verdict = TD_SWAPPED;
    run.reason = reason;
    assert_report(&report, 20,
                  "M refused: swapped. Member B (WD-WCC4N0) is in the source slot. Swap the two\n  disks.\n");
    run.collection[0] = '\0';
    run.verdict = TD_EMPTY;
    run.reason = NULL;
    assert_report(&report, 20, "Dock server refused: empty: no disk is in the dock\n");
    run.dock[0] = '\0';
    assert_report(&report, 20, "Refused: empty: no disk is in the dock\n");
}

/* --- findings ---------------------------------------------------------------------------------------- */

static void test_one_rotted_file(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "photos/x.jpg", 'B', NULL};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    run.exit = TD_EXIT_ROT;
    run.counts = (struct td_counts){.files = 2, .bytes = 9, .repaired = 1};
    run.ended = run.started;
    assert_report(&report, 20,
                  "M: 2 files (9 bytes).\n"
                  "  M/photos/x.jpg: had rotted on member B and was repaired\n"
                  "1 file on member B had rotted and was repaired from the source\n"
                  "  (M/photos/x.jpg). Nothing needs to be done now; a disk on which rot is found\n"
                  "  again is not to be relied on.\n");
}

static void test_several_findings(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident incidents[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "a", 'A', NULL},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, "b", 'B', "Input/output error"},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "c", 0, NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_CHANGING, "d", 0, NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "e", 0, "Input/output error"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_LOST, "f", 'A', NULL},
        {TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, "g", 0, NULL},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 7};
    run.exit = TD_EXIT_MEMBER_LOST;
    run.counts = (struct td_counts){.files = 7, .bytes = 7, .repaired = 2, .held = 1, .unreadable = 3, .noted = 1};
    run.ended = run.started;
    set_state(&run, "ok", "lost");
    assert_report(&report, 6,
                  "M: 7 files (7 bytes).\n"
                  "  M/a: had rotted on member A and was repaired\n"
                  "  M/b: could not be read on member B and was written anew (Input/output error)\n"
                  "  M/c: has rotted in the source; the disks keep the good copy\n"
                  "    twindock heal M c\n"
                  "    twindock accept M c\n"
                  "  M/d: kept changing while it was read in the source\n"
                  "  M/e: could not be read in the source (Input/output error)\n"
                  "  M/f: has no good copy left\n"
                  "  and 1 more\n"
                  "Member B was lost; member A is complete. Look at the disk, its cable and its\n"
                  "  power, and dock the pair again. 1 file has no good copy left (M/f). 1 file in\n"
                  "  the source has rotted and was not copied; the disks keep the good copy (M/c).\n"
                  "  2 files on the disks had rotted and were repaired. 2 files could not be read\n"
                  "  or copied. An older version may be in .twindock/history on the disks.\n"
                  "  `twindock heal M c` puts the good copy back; if what the source holds is\n"
                  "  right, say `twindock accept M c`. Then run again. What was copied of them\n"
                  "  before is kept; run again when they can be read.\n");
}

/* What a person pastes into a shell names exactly the file, whatever it is called. */
static void test_commands_for_held_files(void **state) {
    (void)state;
    struct td_run run = make_run();
    TD_AUTOBUF struct td_buf deep = {0};
    for (int i = 0; i < 100; i++)
        td_buf_puts(&deep, "directory/");
    const struct td_incident incidents[] = {
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "two words", 0, NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "it's $HOME`id`\n\\", 0, NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "-n", 0, NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_LOST, "lost", 0, NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_BACKUP_ROT, "b", 'B', NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, td_buf_text(&deep), 0, NULL},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 6};
    TD_AUTOBUF struct td_buf list = {0};
    run.counts.held = 6;
    td_report_list(&report, 5, &list);
    assert_string_equal(td_buf_text(&list), "  M/two words: has rotted in the source; the disks keep the good copy\n"
                                            "    twindock heal M $'two words'\n"
                                            "    twindock accept M $'two words'\n"
                                            "  M/it's $HOME`id`\\x0a\\\\: has rotted in the source; the disks keep the "
                                            "good copy\n"
                                            "    twindock heal M $'it\\'s $HOME`id`\\012\\\\'\n"
                                            "    twindock accept M $'it\\'s $HOME`id`\\012\\\\'\n"
                                            "  M/-n: has rotted in the source; the disks keep the good copy\n"
                                            "    twindock heal M ./-n\n"
                                            "    twindock accept M ./-n\n"
                                            "  M/lost: has no good copy left; nothing was changed\n"
                                            "    twindock accept M lost\n"
                                            "  M/b: is not believed; the disks keep their copy\n"
                                            "  and 1 more\n");
    td_buf_clear(&list);
    td_report_list(&report, 6, &list);
    assert_null(strstr(td_buf_text(&list), "heal M directory")); /* longer than a line of a mail */
    run.exit = TD_EXIT_ROT;
    report.incident_count = 1;
    run.counts.held = 1;
    assert_sentence(&report, "1 file in the source has rotted and was not copied; the disks keep the good copy "
                             "(M/two words). `twindock heal M .` puts the good copy back; if what the source holds is "
                             "right, say `twindock accept M PATH`. Then run again.");
}

/* verify finds and repairs nothing: what it says must not sound like either. */
static void test_verify_with_findings(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident incidents[] = {
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "a", 'B', NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "b", 'B', NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "album 2/gone", 'B', "No such file or directory"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "d", 'A', "Input/output error"},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_ALTERED, "e", 'A', NULL},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 5};
    snprintf(run.command, sizeof run.command, "verify");
    run.exit = TD_EXIT_ROT;
    run.counts = (struct td_counts){.unreadable = 5};
    assert_report(&report, 20,
                  "  M/a: has rotted on member B and was not repaired\n"
                  "  M/b: has rotted on member B and was not repaired\n"
                  "  M/album 2/gone: is missing on member B\n"
                  "  M/d: could not be read on member A (Input/output error)\n"
                  "  M/e: was altered on member A and was not made right\n"
                  "2 files have rotted on member B. 1 file could not be read on member A (M/d). 1\n"
                  "  file is missing on member B (M/album 2/gone). 1 file was altered on member A\n"
                  "  (M/e). `twindock verify` repairs nothing; `twindock run` does.\n");
    report.incidents = &incidents[2];
    report.incident_count = run.counts.unreadable = 1;
    assert_sentence(&report, "1 file is missing on member B (M/album 2/gone). `twindock verify` repairs nothing; "
                             "`twindock run` does.");
    snprintf(run.command, sizeof run.command, "run");
    assert_sentence(&report, "1 file is missing on member B and was not repaired (M/album 2/gone). Run again.");
}

/* A member that was away is behind: verify says so, and calls it neither proven nor rotten. */
static void test_verify_of_a_member_behind(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run};
    snprintf(run.command, sizeof run.command, "verify");
    set_state(&run, "ok", "unproven");
    run.counts.left = 1;
    assert_sentence(&report, "M was read in full; member A is proven. 1 copy on member B is not proven; `twindock run` "
                             "puts that right. The source was not looked at.");
    set_state(&run, "unproven", "unproven");
    run.counts.left = 4;
    assert_sentence(
        &report,
        "M was read in full. 4 copies are not proven; `twindock run` puts that right. The source was not looked at.");
}

/* Whatever a file is called, no line of the report begins with its words, and its name is not broken. */
static void test_names_are_not_broken(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_UNREADABLE, TD_CAUSE_CHANGING,
                                   "a file with a very long name Both disks are safe to remove. indeed.txt", 0, NULL};
    char reason[] = "1 file (M/a file with a very long name Both disks are safe to remove. indeed.txt) is odd.";
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts = (struct td_counts){.unreadable = 1};
    run.reason = reason;
    assert_report(&report, 0,
                  "  1 more\n"
                  "1 file\n"
                  "  (M/a file with a very long name Both disks are safe to remove. indeed.txt) is\n"
                  "  odd.\n");
}

static void test_incidents_left_out_are_counted(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "x", 'A', NULL};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    run.exit = TD_EXIT_ROT;
    run.counts.repaired = 500;
    assert_sentence(&report,
                    "500 files on member A had rotted and were repaired from the source. Nothing needs to be done now; "
                    "a disk on which rot is found again is not to be relied on.");
    TD_AUTOBUF struct td_buf list = {0};
    td_report_list(&report, 20, &list);
    assert_string_equal(td_buf_text(&list), "  M/x: had rotted on member A and was repaired\n  and 499 more\n");
    report.incident_count = 0;
    assert_sentence(
        &report, "500 files on the disks had rotted and were repaired from the source. Nothing needs to be done now; "
                 "a disk on which rot is found again is not to be relied on.");
}

static void test_the_source_has_no_versions(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incidents[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "x", 'A', NULL},
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "y", 'A', "in the history: its version of 2026-11-01"},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 2};
    run.exit = TD_EXIT_ROT;
    run.counts.repaired = 2;
    assert_sentence(&report,
                    "2 files on member A had rotted and were repaired. Nothing needs to be done now; a disk on "
                    "which rot is found again is not to be relied on.");
}

static void test_altered_copies_do_not_hide_success(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_REPAIRED, TD_CAUSE_ALTERED, "x", 'A', NULL};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    run.counts.repaired = 1;
    assert_sentence(&report,
                    "M is backed up on both disks and proven. 1 copy on the disks had been altered and was made "
                    "right (M/x).");
}

static void test_failures(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_report report = {.run = &run};
    run.result = TD_RESULT_FAILED;
    run.exit = TD_EXIT_INTERNAL;
    assert_sentence(&report, "The run ended with exit code 6: internal error.");
    run.exit = TD_EXIT_SIGNAL + 15;
    assert_sentence(&report, "The run was stopped (told to end); what was done is kept. Run it again.");
    run.exit = TD_EXIT_SIGNAL + 2;
    run.counts.left = 1;
    assert_sentence(&report,
                    "The run was stopped (Ctrl-C); what was done is kept. 1 copy is left to prove. Run it again.");
    run.exit = TD_EXIT_SIGNAL + 1;
    run.counts.left = 23;
    assert_sentence(&report, "The run was stopped (the terminal went away); what was done is kept. 23 copies are left "
                             "to prove. Run it again.");
    snprintf(run.command, sizeof run.command, "verify");
    assert_sentence(&report,
                    "`twindock verify` was stopped (the terminal went away); not everything was read. Run it again.");
    run.exit = TD_EXIT_MEMBER_LOST;
    set_state(&run, "full", "ok");
    assert_sentence(&report, "Member A is full; member B is complete. Make room in the collection and run again.");
    set_state(&run, "lost", "lost");
    assert_sentence(&report,
                    "Member A was lost. Member B was lost. Look at the disk, its cable and its power, and dock the "
                    "pair again.");
    char reason[] = "member A was lost: reading a\nb\x1b[2J";
    run.reason = reason;
    assert_sentence(&report, "member A was lost: reading a\\x0ab\\x1b[2J");
}

static void test_attributes_that_do_not_fit(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident list[] = {{TD_INCIDENT_UNREADABLE, TD_CAUSE_ATTRIBUTES, "a", 'A', "x"},
                                 {TD_INCIDENT_UNREADABLE, TD_CAUSE_ATTRIBUTES, "a", 'B', "x"},
                                 {TD_INCIDENT_UNREADABLE, TD_CAUSE_ATTRIBUTES, "b", 'B', "x"}};
    struct td_report report = {.run = &run, .incidents = list, .incident_count = 2};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts = (struct td_counts){.files = 9, .unreadable = 2};
    assert_sentence(&report, "1 file lacks extended attributes on the disks, where they do not fit (M/a). The contents "
                             "are safe. Make the attributes smaller in the source or take them off, or leave it out "
                             "with `exclude`.");
    report = (struct td_report){.run = &run, .incidents = &list[1], .incident_count = 2};
    assert_sentence(&report, "2 files lack extended attributes on member B, where they do not fit. The contents are "
                             "safe. Make the attributes smaller in the source or take them off, or leave them out "
                             "with `exclude`.");
}

static void test_names_are_escaped(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "a\nb\r\x1b[31m\x9b\\\xe2\x80\xae", 0,
                                   "x\ny"};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts = (struct td_counts){.files = 1, .bytes = 1, .unreadable = 1};
    run.ended = run.started;
    assert_report(&report, 20,
                  "M: 1 file (1 byte).\n"
                  "  M/a\\x0ab\\x0d\\x1b[31m\\x9b\\\\\\xe2\\x80\\xae: could not be read in the source (x\\x0ay)\n"
                  "1 file could not be read or copied (M/a\\x0ab\\x0d\\x1b[31m\\x9b\\\\\\xe2\\x80\\xae).\n"
                  "  What was copied of it before is kept; run again when it can be read.\n");
    run.collection[0] = '\0';
    assert_sentence(&report, "1 file could not be read or copied (a\\x0ab\\x0d\\x1b[31m\\x9b\\\\\\xe2\\x80\\xae). What "
                             "was copied of it before is kept; run again when it can be read.");
}

/* A sentence that was made here and stored as the reason reads the same when it is printed again. */
static void test_sentence_survives_as_reason(void **state) {
    (void)state;
    struct td_run run = make_run();
    struct td_incident incident = {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "a\\b\n\xff", 'B', NULL};
    struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
    TD_AUTOBUF struct td_buf first = {0};
    run.exit = TD_EXIT_UNREADABLE;
    run.counts.unreadable = 1;
    td_report_sentence(&report, &first);
    run.reason = first.data;
    assert_sentence(&report, td_buf_text(&first));
}

/* Every pair of kind and cause has a line that names the file. */
static void test_every_incident_has_a_line(void **state) {
    (void)state;
    struct td_run run = make_run();
    for (int kind = TD_INCIDENT_HELD; kind <= TD_INCIDENT_NOTED; kind++) {
        for (int cause = 0; cause < TD_CAUSE_COUNT; cause++) {
            struct td_incident incident = {(enum td_incident_kind)kind, (enum td_cause)cause, "x", 'A', NULL};
            struct td_report report = {.run = &run, .incidents = &incident, .incident_count = 1};
            TD_AUTOBUF struct td_buf out = {0};
            td_report_list(&report, 1, &out);
            assert_int_equal(strncmp(td_buf_text(&out), "  M/x: ", 7), 0);
            assert_true(out.len > 12);
            assert_ptr_equal(strchr(td_buf_text(&out), '\n'), td_buf_text(&out) + out.len - 1);
        }
    }
}

/* --- JSON of runs ------------------------------------------------------------------------------------ */

static void assert_json(struct td_json *json, const char *expected) {
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(json, &out);
    td_json_free(json);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_report_json(void **state) {
    (void)state;
    struct td_run run = make_run();
    const struct td_incident incidents[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "photos/x.jpg", 'B', NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "c\xff", 0, NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "e", 0, "Input/output error"},
    };
    struct td_report report = {.run = &run, .incidents = incidents, .incident_count = 3, .safe = "Safe to remove."};
    run.exit = TD_EXIT_ROT;
    assert_json(td_report_json(&report), "{\n"
                                         "  \"run\": 7,\n"
                                         "  \"collection\": \"M\",\n"
                                         "  \"pair\": \"" PAIR "\",\n"
                                         "  \"dock\": \"server\",\n"
                                         "  \"host\": \"nas\",\n"
                                         "  \"command\": \"run\",\n"
                                         "  \"started\": \"2014-09-11T01:00:04Z\",\n"
                                         "  \"ended\": \"2014-09-11T03:05:04Z\",\n"
                                         "  \"after_interrupted\": false,\n"
                                         "  \"verdict\": \"ok\",\n"
                                         "  \"result\": \"done\",\n"
                                         "  \"exit\": 5,\n"
                                         "  \"reason\": null,\n"
                                         "  \"advice\": null,\n"
                                         "  \"files\": 1234,\n"
                                         "  \"bytes\": 2048,\n"
                                         "  \"copied\": 3,\n"
                                         "  \"copied_bytes\": 1024,\n"
                                         "  \"renamed\": 1,\n"
                                         "  \"deleted\": 2,\n"
                                         "  \"updated\": 4,\n"
                                         "  \"proven\": 2468,\n"
                                         "  \"proven_bytes\": 4096,\n"
                                         "  \"left\": 0,\n"
                                         "  \"given_up\": 0,\n"
                                         "  \"given_up_bytes\": 0,\n"
                                         "  \"held\": [\n"
                                         "    {\n"
                                         "      \"path\": \"c\\\\xff\",\n"
                                         "      \"path_b64\": \"Y/8=\",\n"
                                         "      \"member\": null,\n"
                                         "      \"cause\": \"source-rot\"\n"
                                         "    }\n"
                                         "  ],\n"
                                         "  \"repaired\": [\n"
                                         "    {\n"
                                         "      \"path\": \"photos/x.jpg\",\n"
                                         "      \"member\": \"B\",\n"
                                         "      \"cause\": \"backup-rot\"\n"
                                         "    }\n"
                                         "  ],\n"
                                         "  \"unreadable\": [\n"
                                         "    {\n"
                                         "      \"path\": \"e\",\n"
                                         "      \"member\": null,\n"
                                         "      \"cause\": \"read-error\",\n"
                                         "      \"detail\": \"Input/output error\"\n"
                                         "    }\n"
                                         "  ],\n"
                                         "  \"noted\": [],\n"
                                         "  \"members\": {\n"
                                         "    \"A\": {\n"
                                         "      \"state\": \"ok\"\n"
                                         "    },\n"
                                         "    \"B\": {\n"
                                         "      \"state\": \"ok\"\n"
                                         "    }\n"
                                         "  },\n"
                                         "  \"safe\": \"Safe to remove.\"\n"
                                         "}\n");
}

static bool prints(struct td_json *json, const char *part) {
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(json, &out);
    td_json_free(json);
    return strstr(td_buf_text(&out), part) != NULL;
}

static void test_report_json_of_sync_and_refusal(void **state) {
    (void)state;
    struct td_run run = {.command = "sync", .verdict = TD_OK, .result = TD_RESULT_DONE, .state = {"", "ok", ""}};
    struct td_report report = {.run = &run};
    assert_true(prints(td_report_json(&report), "\"run\": null,\n  \"collection\": null,\n  \"pair\": null,"));
    assert_true(prints(td_report_json(&report), "\"verdict\": null,\n  \"result\": \"done\",\n  \"exit\": 0,"));
    assert_true(prints(td_report_json(&report), "\"B\": {\n      \"state\": null\n    }"));
    char reason[] = "Swap the two disks.";
    run = make_run();
    run.result = TD_RESULT_REFUSED;
    run.verdict = TD_SWAPPED;
    run.exit = TD_EXIT_REFUSED;
    run.reason = reason;
    assert_true(prints(td_report_json(&report),
                       "\"verdict\": \"swapped\",\n  \"result\": \"refused\",\n  \"exit\": 2,\n"
                       "  \"reason\": \"Swap the two disks.\",\n"
                       "  \"advice\": \"Swap the two disks.\","));
}

/* --- check ------------------------------------------------------------------------------------------- */

static char swap_advice[] = "Member B (WD-1) is in the source slot. Swap the two disks.";
static char described[] = "member B of M (serial WD-1)";

static struct td_check make_check(void) {
    return (struct td_check){
        .dock = "server",
        .mode = "individual",
        .verdict = TD_SWAPPED,
        .advice = swap_advice,
        .collection = "M",
        .uuid = PAIR,
        .slots = {{true, "/dev/sdc", 'B', "WD-1", "ata", 12, described}, {.generation = -1}},
    };
}

static void test_check_print(void **state) {
    (void)state;
    struct td_check checks[2] = {make_check(), {.dock = "shelf", .mode = "mirror", .verdict = TD_EMPTY}};
    TD_AUTOBUF struct td_buf out = {0};
    td_check_print(checks, 2, &out);
    assert_string_equal(td_buf_text(&out),
                        "dock server (individual): M, pair " PAIR "\n"
                        "  source       /dev/sdc  member B of M (serial WD-1), identity: ata, generation 12\n"
                        "  destination  empty\n"
                        "swapped.\n"
                        "Member B (WD-1) is in the source slot. Swap the two disks.\n"
                        "\n"
                        "dock shelf (mirror)\n"
                        "  source       empty\n"
                        "  destination  empty\n"
                        "empty: no disk is in the dock\n");
}

static void test_check_print_is_escaped(void **state) {
    (void)state;
    struct td_check check = make_check();
    char label[] = "an ext4 disk labelled \"a\nok. fine\x1b\"";
    check.slots[0].description = label;
    check.slots[0].identity = "card";
    check.slots[0].generation = -1;
    TD_AUTOBUF struct td_buf out = {0};
    td_check_print(&check, 1, &out);
    assert_non_null(strstr(td_buf_text(&out),
                           "  source       /dev/sdc  an ext4 disk labelled \"a\\x0aok. fine\\x1b\", identity: card\n"));
}

static void test_check_json(void **state) {
    (void)state;
    struct td_check check = make_check();
    assert_json(td_check_json(&check, 1), "{\n"
                                          "  \"docks\": [\n"
                                          "    {\n"
                                          "      \"name\": \"server\",\n"
                                          "      \"mode\": \"individual\",\n"
                                          "      \"verdict\": \"swapped\",\n"
                                          "      \"advice\": \"Member B (WD-1) is in the source slot. Swap the two "
                                          "disks.\",\n"
                                          "      \"collection\": \"M\",\n"
                                          "      \"pair\": \"" PAIR "\",\n"
                                          "      \"slots\": {\n"
                                          "        \"source\": {\n"
                                          "          \"present\": true,\n"
                                          "          \"device\": \"/dev/sdc\",\n"
                                          "          \"member\": \"B\",\n"
                                          "          \"serial\": \"WD-1\",\n"
                                          "          \"identity\": \"ata\",\n"
                                          "          \"generation\": 12,\n"
                                          "          \"description\": \"member B of M (serial WD-1)\"\n"
                                          "        },\n"
                                          "        \"destination\": {\n"
                                          "          \"present\": false,\n"
                                          "          \"device\": null,\n"
                                          "          \"member\": null,\n"
                                          "          \"serial\": null,\n"
                                          "          \"identity\": null,\n"
                                          "          \"generation\": null,\n"
                                          "          \"description\": null\n"
                                          "        }\n"
                                          "      }\n"
                                          "    }\n"
                                          "  ]\n"
                                          "}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done),
        cmocka_unit_test(test_done_in_part),
        cmocka_unit_test(test_done_other_commands),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_one_rotted_file),
        cmocka_unit_test(test_several_findings),
        cmocka_unit_test(test_commands_for_held_files),
        cmocka_unit_test(test_verify_with_findings),
        cmocka_unit_test(test_verify_of_a_member_behind),
        cmocka_unit_test(test_names_are_not_broken),
        cmocka_unit_test(test_incidents_left_out_are_counted),
        cmocka_unit_test(test_the_source_has_no_versions),
        cmocka_unit_test(test_altered_copies_do_not_hide_success),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_attributes_that_do_not_fit),
        cmocka_unit_test(test_sentence_survives_as_reason),
        cmocka_unit_test(test_every_incident_has_a_line),
        cmocka_unit_test(test_report_json),
        cmocka_unit_test(test_report_json_of_sync_and_refusal),
        cmocka_unit_test(test_check_print),
        cmocka_unit_test(test_check_print_is_escaped),
        cmocka_unit_test(test_check_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
