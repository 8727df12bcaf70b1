/* ledger/ledger.h, proofs that are noted first and entered later; run/pages.h, a database changed in place. */
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/ledger/ledger.h"
#include "twindock/platform/sql.h"
#include "twindock/run/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
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

#define MANY 20050 /* more than are entered between two commits */

static char scratch[PATH_MAX];
static char file[PATH_MAX + 32], copy[PATH_MAX + 32], other[PATH_MAX + 32];

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-proofs-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    snprintf(file, sizeof(file), "%s/ledger.db", scratch);
    snprintf(copy, sizeof(copy), "%s/copy.db", scratch);
    snprintf(other, sizeof(other), "%s/other.db", scratch);
    return 0;
}

static int empty_scratch(void **state) {
    (void)state;
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    const char *const names[] = {file, copy, other};
    for (size_t i = 0; i < 12; i++) {
        char name[PATH_MAX + 64];
        snprintf(name, sizeof(name), "%s%s", names[i / 4], endings[i % 4]);
        unlink(name);
    }
    return 0;
}

static int remove_scratch(void **state) {
    (void)state;
    return rmdir(scratch);
}

static struct td_ledger *open_ledger(void) {
    struct td_ledger *ledger;
    assert_int_equal(td_ledger_open(file, &ledger, NULL), 0);
    return ledger;
}

static struct td_pair enroll(struct td_ledger *ledger, const char *collection) {
    struct td_pair pair = {.layout = TD_LAYOUT_TWINS, .generation = 1, .intent = 1};
    snprintf(pair.collection, sizeof(pair.collection), "%s", collection);
    snprintf(pair.uuid, sizeof(pair.uuid), "uuid-%s", collection);
    for (int i = 0; i < 2; i++) {
        pair.members[i].letter = i ? 'B' : 'A';
        snprintf(pair.members[i].token, sizeof(pair.members[i].token), "%032d", i);
    }
    assert_int_equal(td_ledger_add_pair(ledger, &pair, NULL), 0);
    return pair;
}

static void put(struct td_ledger *ledger, int64_t pair, const char *path, int content) {
    struct td_file f = {.entry = {.path = path, .mode = S_IFREG | 0644, .nlink = 1, .size = 10}, .has_hash = true};
    memset(f.hash, content, sizeof(f.hash));
    assert_int_equal(td_ledger_put_file(ledger, pair, &f, NULL), 0);
}

static void note(struct td_ledger *ledger, int64_t pair, const char *path, enum td_side side, int content,
                 int64_t cycle) {
    uint8_t hash[TD_HASH_LEN];
    memset(hash, content, sizeof(hash));
    assert_int_equal(td_ledger_note_proof(ledger, pair, path, side, hash, cycle, 1000 + cycle, NULL), 0);
}

static bool content_is_new; /* so that no member can have had it but by the proof */

static void assert_cycles(struct td_ledger *ledger, int64_t pair, const char *path, int64_t source, int64_t a,
                          int64_t b) {
    struct td_file f;
    assert_int_equal(td_ledger_file(ledger, pair, path, &f, NULL), 0);
    const int64_t cycles[] = {source, a, b};
    unsigned had = (a ? TD_SIDE_BIT(TD_A) : 0) | (b ? TD_SIDE_BIT(TD_B) : 0);
    assert_int_equal(f.had & had, had);
    assert_true(content_is_new == false || f.had == had);
    for (int side = 0; side < TD_SIDES; side++) {
        assert_int_equal(f.cycle[side], cycles[side]);
        assert_int_equal(f.proven_at[side], cycles[side] ? 1000 + cycles[side] : 0);
    }
}

static void enter(struct td_ledger *ledger, int64_t pair) {
    struct td_error err = {0};
    if (td_ledger_enter_proofs(ledger, pair, &err) != 0)
        fail_msg("%s", err.text);
}

static void test_entered_for_the_content_read(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair m = enroll(ledger, "M"), n = enroll(ledger, "N");
    put(ledger, m.id, "a", 1);
    put(ledger, m.id, "b", 2);
    put(ledger, m.id, "c", 3);
    put(ledger, n.id, "a", 1);
    note(ledger, m.id, "c", TD_B, 3, 7);
    note(ledger, m.id, "a", TD_SOURCE, 1, 7);
    note(ledger, m.id, "a", TD_B, 1, 7);
    note(ledger, m.id, "b", TD_A, 9, 7); /* of other content */
    note(ledger, m.id, "gone", TD_A, 1, 7);
    note(ledger, m.id, "a", TD_A, 1, 7);
    note(ledger, n.id, "a", TD_A, 1, 5);
    content_is_new = true;
    assert_cycles(ledger, m.id, "a", 0, 0, 0);
    enter(ledger, m.id);
    assert_cycles(ledger, m.id, "a", 7, 7, 7);
    assert_cycles(ledger, m.id, "b", 0, 0, 0);
    assert_cycles(ledger, m.id, "c", 0, 0, 7);
    assert_cycles(ledger, n.id, "a", 0, 0, 0);
    content_is_new = false;
    put(ledger, m.id, "a", 1);
    enter(ledger, m.id); /* what was entered is not there to be entered again */
    assert_cycles(ledger, m.id, "a", 0, 0, 0);
    enter(ledger, n.id);
    assert_cycles(ledger, n.id, "a", 0, 5, 0);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    assert_int_equal(td_ledger_enter_proofs(ledger, m.id, NULL), -EINVAL);
    td_ledger_rollback(ledger);
    td_ledger_close(ledger);
}

static void put_all(struct td_ledger *ledger, int64_t pair) {
    char path[32];
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "f%06d", i);
        put(ledger, pair, path, 1);
    }
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
}

static void test_kept_over_the_end_of_a_process(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair m = enroll(ledger, "M"), n = enroll(ledger, "N");
    char path[32];
    put_all(ledger, m.id);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    put(ledger, n.id, "first", 1);
    put(ledger, n.id, "last", 1);
    note(ledger, n.id, "first", TD_A, 1, 3);
    for (int i = 0; i < MANY; i++) { /* 7919 is prime: every one, and in no order */
        snprintf(path, sizeof(path), "f%06d", (int)((int64_t)i * 7919 % MANY));
        note(ledger, m.id, path, i % 2 ? TD_A : TD_B, 1, 3);
    }
    note(ledger, n.id, "last", TD_B, 1, 3);
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    td_ledger_close(ledger);
    ledger = open_ledger();
    enter(ledger, m.id);
    uint64_t a, b, bytes;
    assert_int_equal(td_ledger_unproven(ledger, m.id, TD_SIDE_BIT(TD_A), 3, &a, &bytes, NULL), 0);
    assert_int_equal(td_ledger_unproven(ledger, m.id, TD_SIDE_BIT(TD_B), 3, &b, &bytes, NULL), 0);
    assert_int_equal(a, MANY / 2);
    assert_int_equal(b, MANY / 2);
    put_all(ledger, m.id);
    enter(ledger, m.id); /* none is left to be entered again */
    assert_int_equal(td_ledger_unproven(ledger, m.id, TD_SIDE_BIT(TD_A), 3, &a, &bytes, NULL), 0);
    assert_int_equal(td_ledger_unproven(ledger, m.id, TD_SIDE_BIT(TD_B), 3, &b, &bytes, NULL), 0);
    assert_int_equal(a, MANY);
    assert_int_equal(b, MANY);
    content_is_new = false;
    enter(ledger, n.id); /* those of another pair are */
    assert_cycles(ledger, n.id, "first", 0, 3, 0);
    assert_cycles(ledger, n.id, "last", 0, 0, 3);
    td_ledger_close(ledger);
}

static void test_forgotten_with_the_member(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair m = enroll(ledger, "M");
    put(ledger, m.id, "a", 1);
    note(ledger, m.id, "a", TD_A, 1, 4);
    note(ledger, m.id, "a", TD_B, 1, 4);
    assert_int_equal(td_ledger_forget_proofs(ledger, m.id, TD_A, NULL), 0);
    enter(ledger, m.id);
    assert_cycles(ledger, m.id, "a", 0, 0, 4);
    td_ledger_close(ledger);
}

/* --- the copy --------------------------------------------------------------------------------------------- */

static void count_rows(const char *name, const char *want) {
    char line[64] = "", command[2 * PATH_MAX];
    int out[2];
    assert_int_equal(pipe(out), 0);
    snprintf(command, sizeof(command), "%s", name);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execlp("sqlite3", "sqlite3", command,
               "PRAGMA integrity_check; SELECT count(*) FROM run; SELECT count(*) FROM file;", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(out[0], line + len, sizeof(line) - 1 - len)) > 0)
        len += (size_t)n;
    close(out[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_string_equal(line, want);
}

static void duplicate(const char *from, const char *to) {
    TD_AUTOCLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
    TD_AUTOCLOSE int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char piece[TD_PAGE];
    ssize_t n;
    while ((n = read(in, piece, sizeof(piece))) > 0)
        assert_int_equal(td_write_all(out, piece, (size_t)n), 0);
    assert_int_equal(n, 0);
}

/* A copy with some files and one run that is going on; then it has ended, and another goes on. */
static struct td_ledger *two_states(struct td_pair *pair) {
    struct td_ledger *ledger = open_ledger();
    struct td_run run = {.command = "run"}, next = {.command = "run"};
    *pair = enroll(ledger, "M");
    for (int i = 0; i < 300; i++) {
        char path[32];
        snprintf(path, sizeof(path), "f%d", i);
        put(ledger, pair->id, path, i);
    }
    run.pair = next.pair = pair->id;
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    assert_int_equal(td_ledger_export(ledger, pair->id, NULL, copy, NULL), 0);
    run.result = TD_RESULT_DONE;
    run.ended = 4711;
    assert_int_equal(td_ledger_run_end(ledger, &run, NULL), 0);
    assert_int_equal(td_ledger_run_begin(ledger, &next, NULL), 0);
    duplicate(copy, other);
    struct td_error err = {0};
    if (td_ledger_export_renew(ledger, pair->id, NULL, other, &err) != 0)
        fail_msg("%s", err.text);
    return ledger;
}

static void test_copy_changed_in_place(void **state) {
    (void)state;
    struct td_pair pair;
    struct td_ledger *ledger = two_states(&pair);
    count_rows(copy, "ok\n1\n300\n");
    count_rows(other, "ok\n2\n300\n");
    TD_AUTOCLOSE int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TD_AUTOCLOSE int have = open(copy, O_RDWR | O_CLOEXEC), want = open(other, O_RDONLY | O_CLOEXEC);
    struct td_pages pages = {0};
    assert_int_equal(td_pages_compare(have, want, &pages), 0);
    assert_in_range(pages.count, 1, 12); /* of some thirty: not those of the files */
    assert_int_equal(td_pages_write(dir, have, "copy.db-journal", &pages), 0);
    td_pages_free(&pages);
    pages = (struct td_pages){0};
    assert_int_equal(td_pages_compare(have, want, &pages), 0);
    assert_int_equal(pages.count, 0);
    td_pages_free(&pages);
    assert_int_equal(faccessat(dir, "copy.db-journal", F_OK, 0), -1);
    count_rows(copy, "ok\n2\n300\n");
    td_ledger_close(ledger);
}

/* The power goes while the pages are written: whoever opens it has the old copy, whole. */
static void test_copy_cut_off_in_between(void **state) {
    (void)state;
    struct td_pair pair;
    struct td_ledger *ledger = two_states(&pair);
    TD_AUTOCLOSE int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TD_AUTOCLOSE int have = open(copy, O_RDWR | O_CLOEXEC), want = open(other, O_RDONLY | O_CLOEXEC);
    struct td_pages pages = {0};
    char garbage[TD_PAGE];
    memset(garbage, 0xee, sizeof(garbage));
    assert_int_equal(td_pages_compare(have, want, &pages), 0);
    assert_int_equal(td_pages_write_journal(dir, "copy.db-journal", &pages), 0);
    for (uint32_t i = 0; i < pages.count; i++) /* torn: half a page, and one that is not in the old copy at all */
        assert_int_equal(td_pwrite_all(have, garbage, TD_PAGE / 2, (off_t)(pages.page[i] - 1) * TD_PAGE), 0);
    assert_int_equal(td_pwrite_all(have, garbage, TD_PAGE, (off_t)pages.before * TD_PAGE), 0);
    td_pages_free(&pages);
    count_rows(copy, "ok\n1\n300\n");
    td_ledger_close(ledger);
}

static void test_copy_that_must_be_written_anew(void **state) {
    (void)state;
    struct td_pair pair;
    struct td_ledger *ledger = two_states(&pair);
    TD_AUTOCLOSE int have = open(copy, O_RDWR | O_CLOEXEC), want = open(other, O_RDONLY | O_CLOEXEC);
    struct td_pages pages = {0};
    assert_int_equal(td_pages_compare(want, have, &pages) == -E2BIG || pages.count > 0, 1);
    td_pages_free(&pages);
    pages = (struct td_pages){0};
    assert_int_equal(ftruncate(have, 100), 0);
    assert_int_equal(td_pages_compare(have, want, &pages), -E2BIG);
    td_pages_free(&pages);
    td_ledger_close(ledger);
}

static void test_copy_state(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair m = enroll(ledger, "M");
    struct td_copy_state is, set = {.known = true};
    memset(set.rows, 3, sizeof(set.rows));
    memset(set.sha256, 4, sizeof(set.sha256));
    assert_int_equal(td_ledger_copy_state(ledger, m.members[0].id, &is, NULL), 0);
    assert_false(is.known);
    assert_int_equal(td_ledger_copied(ledger, m.members[0].id, &set, NULL), 0);
    assert_int_equal(td_ledger_copy_state(ledger, m.members[0].id, &is, NULL), 0);
    assert_true(is.known);
    assert_memory_equal(is.rows, set.rows, sizeof(is.rows));
    assert_memory_equal(is.sha256, set.sha256, sizeof(is.sha256));
    assert_int_equal(td_ledger_copy_state(ledger, m.members[1].id, &is, NULL), 0);
    assert_false(is.known);
    td_ledger_close(ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_entered_for_the_content_read, empty_scratch),
        cmocka_unit_test_teardown(test_kept_over_the_end_of_a_process, empty_scratch),
        cmocka_unit_test_teardown(test_forgotten_with_the_member, empty_scratch),
        cmocka_unit_test_teardown(test_copy_changed_in_place, empty_scratch),
        cmocka_unit_test_teardown(test_copy_cut_off_in_between, empty_scratch),
        cmocka_unit_test_teardown(test_copy_that_must_be_written_anew, empty_scratch),
        cmocka_unit_test_teardown(test_copy_state, empty_scratch),
    };
    return cmocka_run_group_tests_name("proofs", tests, make_scratch, remove_scratch);
}
