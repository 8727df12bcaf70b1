/* ledger/mails.h: what was told already, and mails that are kept until the mailer takes them. */
#include "twindock/ledger/mails.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1900000000)
#define PATIENCE 180

static char file[PATH_MAX];
static struct td_ledger *ledger;
static struct td_pair music, photos;

static int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(file, sizeof(file), "%s/twindock-mails-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(file);
    if (fd < 0 || close(fd) < 0 || td_ledger_open(file, &ledger, NULL) < 0)
        return -1;
    music = (struct td_pair){.uuid = "18e61a61", .collection = "M", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    photos = (struct td_pair){.uuid = "c54d93c9", .collection = "S", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    return td_ledger_add_pair(ledger, &music, NULL) < 0 ? -1 : td_ledger_add_pair(ledger, &photos, NULL);
}

static int tear_down(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return unlink(file);
}

/* A run that has ended; NULL: it never did. */
static int64_t did(const char *command, const struct td_pair *pair, const char *dock, int exit, const char *event) {
    struct td_run run = {.pair = pair ? pair->id : 0, .started = NOW, .verdict = TD_OK, .exit = exit};
    run.result = exit == 2 ? TD_RESULT_REFUSED : TD_RESULT_DONE;
    snprintf(run.dock, sizeof run.dock, "%s", dock);
    run.verdict = event != NULL && strcmp(event, "unproven") == 0 ? TD_UNPROVEN_PAIR : TD_OK;
    snprintf(run.command, sizeof run.command, "%s", command);
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    if (event == NULL)
        return run.id;
    assert_int_equal(td_ledger_run_event(ledger, run.id, event, NULL), 0);
    run.ended = NOW + 1;
    assert_int_equal(td_ledger_run_end(ledger, &run, NULL), 0);
    return run.id;
}

static int64_t ran(const struct td_pair *pair, const char *dock, int exit, const char *event) {
    return did("run", pair, dock, exit, event);
}

static void tell(int64_t run, int64_t at) {
    assert_int_equal(td_ledger_mail_add(ledger, run, "run", at, "subject", "To: root\n\nbody\n", NULL), 0);
}

static int64_t told(int64_t run, bool by_dock) {
    int64_t at = -1;
    assert_int_equal(td_ledger_mail_told(ledger, run, by_dock, &at, NULL), 0);
    return at;
}

static bool trouble(int64_t run) {
    bool yes = false;
    assert_int_equal(td_ledger_mail_trouble(ledger, run, &yes, NULL), 0);
    return yes;
}

/* --- what was told ------------------------------------------------------------------------------------- */

static void the_same_again_was_told(void **state) {
    (void)state;
    int64_t first = ran(&music, "server", 2, "swapped");
    assert_int_equal(told(first, true), 0);
    tell(first, NOW);
    assert_int_equal(told(ran(&music, "server", 2, "swapped"), true), NOW);
    assert_int_equal(told(ran(&music, "server", 2, "swapped"), true), NOW); /* also the third time */
    assert_int_equal(told(ran(&music, "server", 2, "foreign"), true), 0);
    assert_int_equal(told(ran(&music, "other", 2, "swapped"), true), 0);
}

static void a_change_makes_it_news_again(void **state) {
    (void)state;
    tell(ran(&music, "server", 2, "swapped"), NOW);
    ran(&photos, "server", 0, ""); /* other disks were in */
    int64_t again = ran(&music, "server", 2, "swapped");
    assert_int_equal(told(again, true), 0);
    tell(again, NOW + 5);
    ran(&music, "server", 0, NULL); /* cut off: nothing is known of it, but it was no refusal that ended */
    assert_int_equal(told(ran(&music, "server", 2, "swapped"), true), NOW + 5);
    ran(&music, "server", 0, "");
    assert_int_equal(told(ran(&music, "server", 2, "swapped"), true), 0);
}

/* What is wrong with a pair's files stays told while other pairs are docked in between. */
static void of_a_pair_or_of_a_dock(void **state) {
    (void)state;
    tell(ran(&music, "server", 5, "held"), NOW);
    ran(&photos, "server", 0, "");
    int64_t again = ran(&music, "server", 5, "held");
    assert_int_equal(told(again, false), NOW);
    assert_int_equal(told(again, true), 0);
    ran(&music, "server", 0, "");
    assert_int_equal(told(ran(&music, "server", 5, "held"), false), 0);
}

static void all_is_well_again_for_those_who_were_told(void **state) {
    (void)state;
    assert_false(trouble(ran(&music, "server", 0, "")));
    int64_t refused = ran(NULL, "server", 2, "foreign");
    assert_false(trouble(ran(&photos, "server", 0, ""))); /* nobody knows */
    tell(refused, NOW);
    refused = ran(NULL, "server", 2, "foreign");
    tell(refused, NOW);
    assert_false(trouble(ran(&music, "other", 0, "")));
    assert_true(trouble(ran(&music, "server", 0, "")));
    assert_false(trouble(ran(&music, "server", 0, "")));
    assert_false(trouble(ran(&photos, "server", 0, "")));
    tell(ran(&music, "server", 5, "held"), NOW);
    assert_false(trouble(ran(&photos, "server", 0, "")));
    assert_true(trouble(ran(&music, "server", 0, "")));
}

/* Reading the disks ends no trouble but its own. */
static void a_verify_gives_no_all_clear_for_a_backup(void **state) {
    (void)state;
    tell(ran(&music, "server", 5, "held"), NOW);
    assert_false(trouble(did("verify", &music, "server", 0, "")));
    assert_false(trouble(did("check", &music, "server", 0, "")));
    assert_true(trouble(ran(&music, "server", 0, "")));
    tell(did("verify", &music, "server", 5, "rot"), NOW);
    assert_true(trouble(did("verify", &music, "server", 0, "")));
    assert_false(trouble(ran(&music, "server", 0, "")));
    tell(ran(&music, "server", 2, "unproven"), NOW);
    assert_true(trouble(did("check", &music, "server", 0, "")));
    assert_false(trouble(ran(&music, "server", 0, "")));
}

/* --- what is kept -------------------------------------------------------------------------------------- */

static int claim(int64_t after, int64_t now, int64_t *id) {
    TD_AUTOBUF struct td_buf message = {0};
    int rc = td_ledger_mail_claim(ledger, after, now, PATIENCE, id, &message, NULL);
    assert_true(rc >= 0);
    assert_string_equal(td_buf_text(&message), rc > 0 ? "To: root\n\nbody\n" : "");
    return rc;
}

static void assert_kept(uint64_t expected, int64_t since_expected, const char *error_expected) {
    uint64_t count;
    int64_t since;
    TD_AUTOBUF struct td_buf error = {0};
    assert_int_equal(td_ledger_mail_kept(ledger, &count, &since, &error, NULL), 0);
    assert_int_equal(count, expected);
    assert_int_equal(since, since_expected);
    assert_string_equal(td_buf_text(&error), error_expected);
}

static void one_process_at_a_time(void **state) {
    (void)state;
    int64_t id = 0, other = 0;
    assert_kept(0, 0, "");
    tell(0, NOW);
    tell(0, NOW + 1);
    assert_int_equal(claim(0, NOW, &id), 1);
    assert_int_equal(id, 1);
    assert_int_equal(claim(0, NOW + 1, &other), 1); /* the second, as the first is claimed */
    assert_int_equal(other, 2);
    assert_int_equal(claim(0, NOW + PATIENCE, &id), 0);
    assert_int_equal(claim(0, NOW + PATIENCE + 1, &id), 1); /* who had the first has died */
    assert_int_equal(id, 1);
    assert_int_equal(claim(0, NOW - 1000, &id), 1); /* the clock was set back: no claim holds for ever */
}

static void kept_until_taken(void **state) {
    (void)state;
    int64_t id = 0;
    tell(0, NOW);
    tell(0, NOW + 1);
    assert_int_equal(claim(0, NOW, &id), 1);
    assert_int_equal(td_ledger_mail_done(ledger, id, "exit status 75", NULL), 0);
    assert_int_equal(td_ledger_mail_untried(ledger, id, "it hangs", NULL), 0);
    assert_kept(2, NOW, "it hangs");
    assert_int_equal(claim(0, NOW + 2, &id), 1); /* at once: the claim ended with the attempt */
    assert_int_equal(id, 1);
    assert_int_equal(td_ledger_mail_done(ledger, id, NULL, NULL), 0);
    assert_kept(1, NOW + 1, "it hangs");
    assert_int_equal(claim(id, NOW + 2, &id), 1);
    assert_int_equal(td_ledger_mail_done(ledger, id, NULL, NULL), 0);
    assert_kept(0, 0, "");
    assert_int_equal(claim(0, NOW + 999, &id), 0);
}

static void too_old_or_out_of_date(void **state) {
    (void)state;
    int64_t at = -1, id = 0;
    assert_int_equal(td_ledger_mail_newest(ledger, "overdue", &at, NULL), 0);
    assert_int_equal(at, 0);
    tell(0, NOW);
    assert_int_equal(td_ledger_mail_add(ledger, 0, "overdue", NOW + 5, "s", "To: root\n\nbody\n", NULL), 0);
    assert_int_equal(td_ledger_mail_forget(ledger, NOW, "overdue", NULL), 0);
    assert_kept(1, NOW, "It has not been handed over yet.");
    assert_int_equal(td_ledger_mail_newest(ledger, "overdue", &at, NULL), 0);
    assert_int_equal(at, NOW + 5); /* it was written all the same */
    assert_int_equal(td_ledger_mail_forget(ledger, NOW + 1, NULL, NULL), 0);
    assert_kept(0, 0, "");
    assert_int_equal(claim(0, NOW, &id), 0);
    assert_int_equal(td_ledger_mail_add(ledger, 4711, "run", NOW, "s", "m", NULL), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_same_again_was_told), TEST(a_change_makes_it_news_again),
        TEST(of_a_pair_or_of_a_dock),  TEST(all_is_well_again_for_those_who_were_told),
        TEST(of_a_pair_or_of_a_dock),  TEST(a_verify_gives_no_all_clear_for_a_backup),
        TEST(one_process_at_a_time),   TEST(kept_until_taken),
        TEST(too_old_or_out_of_date),
    };
    return cmocka_run_group_tests_name("ledger mails", tests, NULL, NULL);
}
