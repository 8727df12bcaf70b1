/* ledger/ledger.h: runs, those that were cut off, incidents, and the facts that --info is made from. */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/ledger/history.h"
#include "twindock/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char file[PATH_MAX];
static struct td_ledger *ledger;
static struct td_pair pair;

static int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(file, sizeof(file), "%s/twindock-runs-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(file);
    if (fd < 0 || close(fd) < 0 || td_ledger_open(file, &ledger, NULL) < 0)
        return -1;
    pair = (struct td_pair){.uuid = "18e61a61", .collection = "M", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    return td_ledger_add_pair(ledger, &pair, NULL);
}

static int tear_down(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return unlink(file); /* the last one to close leaves nothing beside it */
}

static struct td_run begin(const char *command, int64_t started) {
    struct td_run run = {.pair = pair.id, .started = started, .verdict = TD_OK};
    struct td_error err = {0};
    snprintf(run.collection, sizeof(run.collection), "M");
    snprintf(run.uuid, sizeof(run.uuid), "18e61a61");
    snprintf(run.dock, sizeof(run.dock), "server");
    snprintf(run.command, sizeof(run.command), "%s", command);
    snprintf(run.host, sizeof(run.host), "box");
    if (td_ledger_run_begin(ledger, &run, &err) < 0)
        fail_msg("%s", err.text);
    return run;
}

static void end(struct td_run *run, enum td_result result, int exit, const char *a, const char *b) {
    struct td_error err = {0};
    run->ended = run->started + 60;
    run->result = result;
    run->exit = exit;
    snprintf(run->state[TD_A], sizeof(run->state[TD_A]), "%s", a);
    snprintf(run->state[TD_B], sizeof(run->state[TD_B]), "%s", b);
    if (td_ledger_run_end(ledger, run, &err) < 0)
        fail_msg("%s", err.text);
}

struct seen {
    int count;
    struct td_info_fact fact;
    char reason[128];
};

static int see(void *ctx, const struct td_info_fact *fact) {
    struct seen *seen = ctx;
    if (strcmp(fact->pair.collection, "M") == 0) {
        seen->fact = *fact;
        snprintf(seen->reason, sizeof(seen->reason), "%s", fact->last.reason ? fact->last.reason : "(none)");
    }
    seen->count++;
    return 0;
}

static struct seen info(void) {
    struct seen seen = {0};
    struct td_error err = {0};
    if (td_ledger_info(ledger, see, &seen, &err) < 0)
        fail_msg("%s", err.text);
    return seen;
}

/* --- runs -------------------------------------------------------------------------------------------- */

static void test_a_run_comes_back(void **state) {
    (void)state;
    struct td_run run = begin("run", 1000);
    assert_true(run.id > 0);
    run.verdict = TD_SWAPPED;
    run.reason = strdup("Swap the two disks.");
    run.counts = (struct td_counts){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, UINT64_MAX, 0, 0};
    run.after_interrupted = true;
    snprintf(run.state[TD_SOURCE], sizeof(run.state[TD_SOURCE]), "ok");
    end(&run, TD_RESULT_REFUSED, 2, "full", "absent");
    free(run.reason);
    struct seen seen = info();
    const struct td_run *last = &seen.fact.last;
    assert_int_equal(seen.count, 1);
    assert_int_equal(last->id, run.id);
    assert_int_equal(last->pair, pair.id);
    assert_string_equal(last->collection, "M");
    assert_string_equal(last->uuid, "18e61a61");
    assert_string_equal(last->dock, "server");
    assert_string_equal(last->command, "run");
    assert_string_equal(last->host, "box");
    assert_int_equal(last->started, 1000);
    assert_int_equal(last->ended, 1060);
    assert_int_equal(last->verdict, TD_SWAPPED);
    assert_int_equal(last->result, TD_RESULT_REFUSED);
    assert_int_equal(last->exit, 2);
    assert_string_equal(seen.reason, "Swap the two disks.");
    assert_memory_equal(&last->counts, &run.counts, sizeof(run.counts));
    assert_string_equal(last->state[TD_SOURCE], "ok");
    assert_string_equal(last->state[TD_A], "full");
    assert_string_equal(last->state[TD_B], "absent");
    assert_true(last->after_interrupted);
    assert_false(seen.fact.running || seen.fact.interrupted);
    struct td_run nobody = {.id = 4711};
    assert_int_equal(td_ledger_run_end(ledger, &nobody, NULL), -ENOENT);
}

static void test_a_run_without_a_pair(void **state) {
    (void)state;
    struct td_run run = {.command = "run", .verdict = TD_FOREIGN_DISK};
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_true(run.started > 1000000000); /* filled in */
    run.result = TD_RESULT_REFUSED;
    assert_int_equal(td_ledger_run_end(ledger, &run, NULL), 0);
    assert_int_equal(info().fact.last.id, 0); /* no pair's */
    int count = -1;
    assert_int_equal(td_ledger_run_interrupted(ledger, 0, &count, NULL), 0);
    assert_int_equal(count, 0);
}

static void test_progress(void **state) {
    (void)state;
    struct td_run run = begin("run", 1000);
    assert_int_equal(td_ledger_run_progress(ledger, run.id, "prove", 5, UINT64_C(1) << 41, NULL), 0);
    assert_int_equal(td_ledger_run_progress(ledger, 4711, "prove", 5, 6, NULL), -ENOENT);
    struct seen seen = info();
    assert_true(seen.fact.running);
    assert_false(seen.fact.interrupted);
    assert_string_equal(seen.fact.phase, "prove");
    assert_true(seen.fact.done == 5 && seen.fact.all == UINT64_C(1) << 41);
    assert_int_equal(seen.fact.last.id, 0);
    int count = -1; /* a living run is left alone */
    assert_int_equal(td_ledger_run_interrupted(ledger, pair.id, &count, NULL), 0);
    assert_int_equal(count, 0);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok");
    assert_false(info().fact.running);
}

/* A process that begins a run and is killed in it. */
static void run_and_die(void) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct td_ledger *own;
        struct td_run run = {.pair = pair.id, .command = "run", .collection = "M", .verdict = TD_OK, .started = 2000};
        if (td_ledger_open(file, &own, NULL) == 0 && td_ledger_run_begin(own, &run, NULL) == 0 &&
            write(pipes[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char c;
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(pipes[0]);
    assert_true(info().fact.running);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_run_that_was_cut_off(void **state) {
    (void)state;
    struct td_run good = begin("run", 1000);
    end(&good, TD_RESULT_DONE, 0, "ok", "ok");
    run_and_die();
    struct seen seen = info(); /* seen without being marked: --info writes nothing */
    assert_false(seen.fact.running);
    assert_true(seen.fact.interrupted);
    assert_int_equal(seen.fact.last.id, good.id);
    int count = -1;
    struct td_run next = begin("run", 3000);
    assert_int_equal(td_ledger_run_interrupted(ledger, pair.id + 1, &count, NULL), 0);
    assert_int_equal(count, 0); /* another pair's */
    assert_int_equal(td_ledger_run_interrupted(ledger, pair.id, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(td_ledger_run_interrupted(ledger, pair.id, &count, NULL), 0);
    assert_int_equal(count, 0);
    seen = info();
    assert_true(seen.fact.running);
    assert_false(seen.fact.interrupted);
    assert_int_equal(seen.fact.last.result, TD_RESULT_INTERRUPTED);
    assert_int_equal(seen.fact.last_backup, 1000);
    end(&next, TD_RESULT_DONE, 0, "ok", "ok");
    seen = info();
    assert_false(seen.fact.interrupted);
    assert_int_equal(seen.fact.last.id, next.id);
}

/* --- incidents ---------------------------------------------------------------------------------------- */

static int collect(void *ctx, const struct td_incident *incident) {
    struct td_buf *out = ctx;
    td_buf_printf(out, "%s/%s/%s/%c/%s;", td_incident_names[incident->kind], td_cause_names[incident->cause],
                  incident->path, incident->member ? incident->member : '-', incident->detail ? incident->detail : "-");
    return 0;
}

static int stop(void *ctx, const struct td_incident *incident) {
    (void)incident;
    ++*(int *)ctx;
    return -ECANCELED;
}

static void test_incidents(void **state) {
    (void)state;
    struct td_run run = begin("run", 1000), other = begin("run", 1001);
    const struct td_incident incidents[] = {
        {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "z/\xff", 'B', NULL},
        {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "a/b", 0, NULL},
        {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "a-b", 'A', "Input/output error"},
        {TD_INCIDENT_NOTED, TD_CAUSE_EDITED_QUIETLY, "a/b", 0, NULL},
    };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(td_ledger_incident(ledger, run.id, &incidents[i], NULL), 0);
    assert_int_equal(td_ledger_incident(ledger, other.id, &incidents[0], NULL), 0);
    assert_int_equal(td_ledger_incident(ledger, 4711, &incidents[0], NULL), -ENOENT);
    TD_AUTOBUF struct td_buf out = {0};
    assert_int_equal(td_ledger_incidents(ledger, run.id, collect, &out, NULL), 0);
    assert_string_equal(td_buf_text(&out), "unreadable/read-error/a-b/A/Input/output error;"
                                           "held/source-rot/a/b/-/-;"
                                           "noted/edited-mtime-kept/a/b/-/-;"
                                           "repaired/backup-rot/z/\xff/B/-;");
    int seen = 0;
    assert_int_equal(td_ledger_incidents(ledger, run.id, stop, &seen, NULL), -ECANCELED);
    assert_int_equal(seen, 1);
}

/* What the run `id` is given to tell of what earlier runs have repaired, in round 7. */
static void left(int64_t id, struct td_buf *out) {
    struct td_error err = {0};
    td_buf_clear(out);
    if (td_ledger_repairs_left(ledger, pair.id, id, 7, collect, out, &err) != 0)
        fail_msg("%s", err.text);
}

static void repair(const char *path, char member, const char *place, int64_t id) {
    const struct td_incident bad = {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, path, member, NULL};
    assert_int_equal(td_ledger_repair(ledger, pair.id, &bad, place, id, NULL), 0);
}

static void proven_in(const char *path, int64_t a, int64_t b) {
    struct td_file f = {.entry = {.path = path, .mode = S_IFREG | 0644, .nlink = 1}, .has_hash = true};
    f.cycle[TD_A] = a;
    f.cycle[TD_B] = b;
    assert_int_equal(td_ledger_put_file(ledger, pair.id, &f, NULL), 0);
}

static void test_repairs_outlive_their_run(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    struct td_run ended = begin("run", 1000), cut = begin("run", 2000), next = begin("run", 3000);
    repair("told", 'A', NULL, ended.id);
    end(&ended, TD_RESULT_DONE, 5, "ok", "ok");
    repair("done", 'A', NULL, cut.id); /* in a run that did not end */
    repair("in place", 'A', NULL, 0);  /* it had set out to, and the next run finds it good */
    repair("in place", 'B', NULL, 0);  /* but not this one */
    repair("failed", 'A', NULL, 0);
    repair("gone", 'A', NULL, 0);
    repair("done", 'A', "1/gone", 0);
    proven_in("in place", 7, 6);
    proven_in("failed", 7, 7);
    const struct td_incident failed = {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "failed", 'A', NULL};
    assert_int_equal(td_ledger_repair_failed(ledger, pair.id, &failed, NULL, NULL), 0);
    left(cut.id, &out);
    assert_string_equal(td_buf_text(&out), "repaired/backup-rot/in place/A/-;"); /* its own is not given back to it */
    left(next.id, &out);
    assert_string_equal(td_buf_text(&out), "repaired/backup-rot/done/A/-;");
    left(next.id, &out);
    assert_string_equal(td_buf_text(&out), "");
    proven_in("in place", 7, 7);
    left(next.id, &out);
    assert_string_equal(td_buf_text(&out), "repaired/backup-rot/in place/B/-;");
}

/* --- the facts of --info ----------------------------------------------------------------------------- */

/* Which runs count as the last backup. */
static void test_last_backup(void **state) {
    (void)state;
    static const struct {
        const char *command;
        enum td_result result;
        int exit;
        const char *a, *b;
        bool counts;
    } rows[] = {
        {"run", TD_RESULT_DONE, 0, "ok", "ok", true},
        {"run", TD_RESULT_DONE_UNPROVEN, 0, "unproven", "unproven", true},
        {"run", TD_RESULT_DONE, 0, "ok", "unproven", true},
        {"run", TD_RESULT_DONE, 5, "ok", "ok", false},
        {"run", TD_RESULT_DONE, 3, "ok", "ok", false},
        {"run", TD_RESULT_DONE, 0, "ok", "absent", false},
        {"run", TD_RESULT_DONE, 0, "lost", "ok", false},
        {"run", TD_RESULT_DONE, 4, "ok", "full", false},
        {"run", TD_RESULT_REFUSED, 2, "", "", false},
        {"run", TD_RESULT_FAILED, 6, "ok", "ok", false},
        {"verify", TD_RESULT_DONE, 0, "ok", "ok", false},
        {"enroll", TD_RESULT_DONE, 0, "ok", "ok", false},
    };
    int64_t expected = 0;
    assert_int_equal(info().fact.last_backup, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct td_run run = begin(rows[i].command, 1000 + (int64_t)i);
        end(&run, rows[i].result, rows[i].exit, rows[i].a, rows[i].b);
        if (rows[i].counts)
            expected = run.started;
        assert_int_equal(info().fact.last_backup, expected);
    }
}

/* A run, and the step on which the pair's flag rests after it. */
struct step {
    const char *command;
    enum td_verdict verdict;
    enum td_result result;
    int exit;
    int rests_on;
};

static void walk_steps(const struct step *steps, size_t count) {
    int64_t ids[16];
    for (size_t i = 0; i < count; i++) {
        struct td_run run = begin(steps[i].command, 1000 + (int64_t)i);
        ids[i] = run.id;
        run.verdict = steps[i].verdict;
        end(&run, steps[i].result, steps[i].exit, "ok", "ok");
        const struct td_run last = info().fact.last;
        if (last.id != ids[steps[i].rests_on])
            fail_msg("after step %zu (%s) the state rests on run %lld", i, steps[i].command, (long long)last.id);
    }
}
#define WALK(steps) walk_steps(steps, sizeof(steps) / sizeof(steps[0]))

/* What has read the disks and found them good says nothing of a backup that failed. */
static void test_reading_ends_no_trouble_but_its_own(void **state) {
    (void)state;
    static const struct step steps[] = {
        {"run", TD_OK, TD_RESULT_DONE, 0, 0},
        {"verify", TD_OK, TD_RESULT_DONE, 0, 0},
        {"run", TD_OK, TD_RESULT_DONE, 5, 2},
        {"verify", TD_OK, TD_RESULT_DONE, 0, 2},
        {"check", TD_OK, TD_RESULT_DONE, 0, 2},
        {"heal", TD_OK, TD_RESULT_DONE, 0, 2},
        {"verify", TD_OK, TD_RESULT_DONE, 5, 6},
        {"check", TD_OK, TD_RESULT_DONE, 0, 6},
        {"check", TD_OK, TD_RESULT_DONE, 5, 8},
        {"verify", TD_OK, TD_RESULT_DONE, 0, 8},
        {"check", TD_OK, TD_RESULT_DONE, 0, 2},
        {"run", TD_BRAKE, TD_RESULT_REFUSED, 2, 11},
        {"verify", TD_SWAPPED, TD_RESULT_REFUSED, 2, 12},
        {"verify", TD_OK, TD_RESULT_DONE, 0, 11},
        {"run", TD_OK, TD_RESULT_DONE, 0, 14},
    };
    WALK(steps);
}

/* A proof that was wanting can be made without a backup; nothing else can. */
static void test_a_comparison_gives_the_proof_that_was_wanting(void **state) {
    (void)state;
    static const struct step steps[] = {
        {"run", TD_OK, TD_RESULT_DONE, 0, 0},
        {"run", TD_UNPROVEN_PAIR, TD_RESULT_REFUSED, 2, 1},
        {"run", TD_UNPROVEN_PAIR, TD_RESULT_REFUSED, 2, 2},
        {"verify", TD_OK, TD_RESULT_DONE, 0, 2},
        {"check", TD_UNPROVEN_PAIR, TD_RESULT_DONE, 2, 4},
        {"check", TD_UNPROVEN_PAIR, TD_RESULT_DONE, 0, 0},
        {"run", TD_STALE_SOURCE, TD_RESULT_REFUSED, 2, 6},
        {"check", TD_OK, TD_RESULT_DONE, 0, 6},
    };
    WALK(steps);
}

static void test_a_run_without_an_end_stays_cut_off(void **state) {
    (void)state;
    struct td_run good = begin("run", 1000);
    end(&good, TD_RESULT_DONE, 0, "ok", "ok");
    run_and_die();
    struct td_run verify = begin("verify", 3000);
    end(&verify, TD_RESULT_DONE, 0, "ok", "ok");
    struct seen seen = info();
    assert_true(seen.fact.interrupted);
    assert_int_equal(seen.fact.last.id, good.id + 1);
    assert_int_equal(seen.fact.last.ended, 0);
    assert_int_equal(seen.fact.last_backup, 1000);
    struct td_run next = begin("run", 4000);
    end(&next, TD_RESULT_DONE, 0, "ok", "ok");
    assert_false(info().fact.interrupted);
    assert_int_equal(info().fact.last.id, next.id);
}

/* --- what is old enough to be given up --------------------------------------------------------------- */

/* The disks may know of runs that this ledger has lost. */
static void test_numbers_go_on_from_what_the_cards_say(void **state) {
    (void)state;
    struct td_run run = begin("run", 1000);
    assert_int_equal(run.id, 1);
    run.id = 321;
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_int_equal(run.id, 322);
    run.id = 5; /* long known */
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_int_equal(run.id, 323);
    run.id = 323;
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_int_equal(run.id, 324);
    run.id = INT64_MAX;
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_int_equal(run.id, 325);
    assert_int_equal(begin("run", 2000).id, 326);
}

#define DAY INT64_C(86400)
#define SPRING INT64_C(1900000000)
static void ended_run(int64_t started) {
    struct td_run run = begin("run", started);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok");
}
/* The newest run that a run beginning then, which keeps history for 90 days, may give up. */
static int64_t expired_at(int64_t started) {
    int64_t last = -1, before = -1, at = 0;
    struct td_run run = begin("run", started);
    assert_int_equal(td_ledger_run_started(ledger, run.id, &at, NULL), 0);
    assert_int_equal(at, started);
    assert_int_equal(td_ledger_expired(ledger, pair.id, run.id, 90 * DAY, &last, &before, NULL), 0);
    assert_true(before >= 0 && before <= started);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok");
    return last;
}

static void test_runs_expire_with_good_clocks(void **state) {
    (void)state;
    int64_t started = 7;
    assert_int_equal(td_ledger_run_started(ledger, 1, &started, NULL), -ENOENT);
    assert_int_equal(expired_at(SPRING), 0);
    ended_run(SPRING + DAY);                            /* run 2 */
    assert_int_equal(expired_at(SPRING + 90 * DAY), 0); /* on the day: not older */
    assert_int_equal(expired_at(SPRING + 91 * DAY), 0);
    assert_int_equal(expired_at(SPRING + 92 * DAY), 1); /* the run before, a day ago, thought so too */
    assert_int_equal(expired_at(SPRING + 93 * DAY), 2);
    assert_int_equal(expired_at(SPRING + 500 * DAY), 2); /* after a year on the shelf: one run later */
    assert_int_equal(expired_at(SPRING + 501 * DAY), 6);
}

static void test_wrong_clocks_give_up_nothing(void **state) {
    (void)state;
    ended_run(SPRING);
    assert_int_equal(expired_at(60 * DAY), 0);     /* run 2: a clock that has not been set, in 1970 */
    assert_int_equal(expired_at(SPRING + DAY), 0); /* the next nights, with the right time */
    assert_int_equal(expired_at(SPRING + 2 * DAY), 0);
    assert_int_equal(expired_at(SPRING + 3650 * DAY), 0);        /* run 5: one night years ahead */
    assert_int_equal(expired_at(SPRING + 3650 * DAY + 3600), 0); /* and tried again at once */
    assert_int_equal(expired_at(SPRING + 3 * DAY), 0);
    assert_int_equal(expired_at(SPRING + 4 * DAY), 0);
    assert_int_equal(expired_at(SPRING + 90 * DAY + 5), 0); /* the only witness is that of 4 days */
    assert_int_equal(expired_at(SPRING + 91 * DAY + 6), 1); /* not 2, which is as young as 3 */
    assert_int_equal(expired_at(SPRING + 92 * DAY + 7), 3);
    assert_int_equal(expired_at(SPRING + 93 * DAY + 8), 4); /* not 5 and 6, which are as young as 7 */
    assert_int_equal(expired_at(SPRING + 94 * DAY + 9), 7);
}

static void put(const char *path, int64_t a, int64_t b, bool has_hash) {
    struct td_file f = {.entry = {.path = path, .mode = S_IFREG, .size = 1}, .has_hash = has_hash};
    f.proven_at[TD_A] = a;
    f.proven_at[TD_B] = b;
    assert_int_equal(td_ledger_put_file(ledger, pair.id, &f, NULL), 0);
}

static void assert_last_proven(int64_t a, int64_t b) {
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(pairs[0].members[0].last_proven, a);
    assert_int_equal(pairs[0].members[1].last_proven, b);
    free(pairs);
}

/* A round of proving that took months is as old as the first copy read in it. */
static void test_a_proof_is_as_old_as_its_oldest_part(void **state) {
    (void)state;
    const int64_t a = pair.members[0].id, b = pair.members[1].id;
    put("no hash", 0, 0, false);
    assert_int_equal(td_ledger_member_state(ledger, a, "ok", 1000, NULL), 0);
    assert_last_proven(1000, 0); /* nothing there to be proven */
    put("new", 1000, 1000, true);
    put("old", 300, 200, true);
    assert_int_equal(td_ledger_member_state(ledger, a, "ok", 1000, NULL), 0);
    assert_int_equal(td_ledger_member_state(ledger, b, "ok", 1000, NULL), 0);
    assert_last_proven(300, 200);
    put("old", 2000, 200, true);
    assert_int_equal(td_ledger_member_state(ledger, a, "ok", 2000, NULL), 0);
    assert_int_equal(td_ledger_member_state(ledger, b, "unproven", 0, NULL), 0);
    assert_last_proven(1000, 200);
}

static void test_oldest_proof(void **state) {
    (void)state;
    struct seen seen = info();
    assert_true(seen.fact.files == 0 && seen.fact.oldest_proof == 0);
    put("x", 500, 400, true);
    put("y", 600, 700, true);
    put("directory", 0, 0, false); /* no content to prove */
    seen = info();
    assert_true(seen.fact.files == 2 && seen.fact.oldest_proof == 400);
    struct td_run run = begin("run", 1000);
    assert_int_equal(td_ledger_prove(ledger, pair.id, "x", TD_B, 9, 800, NULL), 0);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok"); /* keeps the sums */
    seen = info();
    assert_true(seen.fact.files == 2 && seen.fact.oldest_proof == 500);
    put("z", 900, 0, true); /* after that they count anew */
    seen = info();
    assert_true(seen.fact.files == 3 && seen.fact.oldest_proof == 0);
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "z", NULL), 0);
    assert_int_equal(info().fact.oldest_proof, 500);
}

/* Sums that were kept are spoiled by any write, also one in the transaction in which they were kept. */
static void test_sums_within_a_transaction(void **state) {
    (void)state;
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    put("x", 500, 400, true);
    struct td_run run = begin("run", 1000);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok");
    put("y", 300, 300, true);
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    assert_int_equal(info().fact.oldest_proof, 300);
    struct td_run again = begin("run", 2000);
    end(&again, TD_RESULT_DONE, 0, "ok", "ok");
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    put("z", 100, 100, true);
    td_ledger_rollback(ledger);
    assert_int_equal(info().fact.oldest_proof, 300);
    put("z", 100, 100, true);
    assert_int_equal(info().fact.oldest_proof, 100);
}

static void test_info_through_a_reader(void **state) {
    (void)state;
    struct td_pair other = {.uuid = "c54d93c9", .collection = "Tb", .members = {{.letter = 'A'}, {.letter = 0}}};
    assert_int_equal(td_ledger_add_pair(ledger, &other, NULL), 0);
    assert_int_equal(td_ledger_space(ledger, pair.id, UINT64_C(3) << 40, 66, NULL), 0);
    assert_int_equal(td_ledger_space(ledger, 4711, 1, 1, NULL), -ENOENT);
    struct td_run run = begin("run", 1000);
    end(&run, TD_RESULT_DONE, 0, "ok", "ok");
    put("x", 500, 400, true);
    struct td_ledger *writer = ledger;
    assert_int_equal(td_ledger_open_reader(file, &ledger, NULL), 0);
    struct seen seen = info();
    td_ledger_close(ledger);
    ledger = writer;
    assert_int_equal(seen.count, 2);
    assert_true(seen.fact.used == UINT64_C(3) << 40 && seen.fact.free == 66);
    assert_int_equal(seen.fact.last_backup, 1000);
    assert_int_equal(seen.fact.oldest_proof, 400);
    assert_string_equal(seen.reason, "(none)");
    assert_string_equal(seen.fact.pair.uuid, "18e61a61");
}

/* The halves of a mirrored pair, compared: the newer proof counts for both; what no one has proven stays so. */
static void test_halves(void **state) {
    struct td_pair *pairs = NULL;
    struct td_file file_a;
    size_t count = 0;
    (void)state;
    put("x", 500, 100, true);
    put("y", 0, 400, true);
    put("z", 0, 0, true);
    assert_int_equal(info().fact.oldest_proof, 0);
    assert_int_equal(td_ledger_share_proofs(ledger, pair.id, NULL), 0);
    const struct {
        const char *path;
        int64_t when;
    } rows[] = {{"x", 500}, {"y", 400}, {"z", 0}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(td_ledger_file(ledger, pair.id, rows[i].path, &file_a, NULL), 0);
        assert_int_equal(file_a.proven_at[TD_A], rows[i].when);
        assert_int_equal(file_a.proven_at[TD_B], rows[i].when);
    }
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "z", NULL), 0);
    assert_int_equal(info().fact.oldest_proof, 400);

    struct td_identity drive = {.source = TD_IDENTITY_ATA, .serial = "WD-1", .wwn = "0x5", .model = "WD"};
    assert_int_equal(td_ledger_set_differs(ledger, pair.id, 12, NULL), 0);
    assert_int_equal(td_ledger_learn_drive(ledger, pair.members[1].id, &drive, 1000, NULL), 0);
    assert_int_equal(td_ledger_learn_drive(ledger, 4711, &drive, 1000, NULL), -ENOENT);
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(pairs[0].differs, 12);
    assert_string_equal(pairs[0].members[1].identity.serial, "WD-1");
    assert_int_equal(pairs[0].members[1].identity.source, TD_IDENTITY_ATA);
    assert_int_equal(pairs[0].members[1].size, 1000);
    assert_string_equal(pairs[0].members[0].identity.serial, "");
    free(pairs);

    struct td_run run = begin("run", 1000); /* a half that the dock wrote and did not show counts as written */
    end(&run, TD_RESULT_DONE, 0, "ok", "unseen");
    assert_int_equal(info().fact.last_backup, 1000);
}

static int64_t backup_at(int64_t when) {
    int64_t run = 0, started = 0;
    int rc = td_ledger_run_at(ledger, pair.id, when, &run, &started, NULL);
    return rc == -ENOENT ? 0 : rc < 0 ? rc : run;
}

/* Runs at these times, ended by 0. */
static void runs_at(const int64_t *times) {
    for (; *times != 0; times++) {
        struct td_run run = begin("run", *times);
        end(&run, TD_RESULT_DONE, 0, "ok", "ok");
    }
}

static void test_the_backup_at_a_time(void **state) {
    (void)state;
    assert_int_equal(backup_at(INT64_MAX), 0);
    runs_at((const int64_t[]){1000, 2000, 2000, 3000, 0});
    assert_int_equal(backup_at(INT64_MAX), 4);
    assert_int_equal(backup_at(td_wall_seconds()), 4);
    assert_int_equal(backup_at(2999), 3);
    assert_int_equal(backup_at(1000), 1);
    assert_int_equal(backup_at(999), 0);
}

static void test_a_clock_that_was_behind(void **state) {
    (void)state;
    runs_at((const int64_t[]){1000, 2000, 3000, 10, 20, 4000, 30, 0});
    assert_int_equal(backup_at(INT64_MAX), 7); /* the newest, whatever its clock said */
    assert_int_equal(backup_at(td_wall_seconds()), 7);
    assert_int_equal(backup_at(4000), 6);
    assert_int_equal(backup_at(3500), 3);
    assert_int_equal(backup_at(1500), 1);
    assert_int_equal(backup_at(500), 0);
}

static void test_a_clock_that_was_ahead(void **state) {
    (void)state;
    int64_t now = td_wall_seconds();
    runs_at((const int64_t[]){1000, 9000, 2000, now + 100000, 3000, now + 200000, 0});
    assert_int_equal(backup_at(INT64_MAX), 6);
    assert_int_equal(backup_at(now), 6);
    assert_int_equal(backup_at(now + 150000), 6); /* not in the past */
    assert_int_equal(backup_at(now - 1), 5);
    assert_int_equal(backup_at(2500), 3);
    assert_int_equal(backup_at(1999), 1);
}

/* The clock of whoever asks may be the wrong one. */
static void test_the_present_may_be_wrong(void **state) {
    (void)state;
    int64_t now = td_wall_seconds();
    runs_at((const int64_t[]){now + 1000, now + 2000, now + 3000, 0});
    assert_int_equal(backup_at(now + 2500), 2);
    assert_int_equal(backup_at(INT64_MAX), 3);
    assert_int_equal(backup_at(now), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_run_comes_back),
        TEST(test_a_run_without_a_pair),
        TEST(test_progress),
        TEST(test_a_run_that_was_cut_off),
        TEST(test_incidents),
        TEST(test_repairs_outlive_their_run),
        TEST(test_last_backup),
        TEST(test_reading_ends_no_trouble_but_its_own),
        TEST(test_a_comparison_gives_the_proof_that_was_wanting),
        TEST(test_a_run_without_an_end_stays_cut_off),
        TEST(test_numbers_go_on_from_what_the_cards_say),
        TEST(test_runs_expire_with_good_clocks),
        TEST(test_wrong_clocks_give_up_nothing),
        TEST(test_oldest_proof),
        TEST(test_a_proof_is_as_old_as_its_oldest_part),
        TEST(test_sums_within_a_transaction),
        TEST(test_info_through_a_reader),
        TEST(test_halves),
        TEST(test_the_backup_at_a_time),
        TEST(test_a_clock_that_was_behind),
        TEST(test_a_clock_that_was_ahead),
        TEST(test_the_present_may_be_wrong),
    };
    return cmocka_run_group_tests_name("ledger runs", tests, NULL, NULL);
}
