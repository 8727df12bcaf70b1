/* platform/sql.h and platform/self.h: connections, statements by name, faults as errno; is that process alive? */
#include "twindock/base/cleanup.h"
#include "twindock/platform/self.h"
#include "twindock/platform/sql.h"

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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static char file[PATH_MAX + 16];

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-sql-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    snprintf(file, sizeof(file), "%s/db", scratch);
    return 0;
}

static int empty_scratch(void **state) {
    (void)state;
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char name[PATH_MAX + 32];
        snprintf(name, sizeof(name), "%s%s", file, endings[i]);
        unlink(name);
    }
    return 0;
}

static int remove_scratch(void **state) {
    (void)state;
    return rmdir(scratch);
}

/* A database with the ledger's schema and one pair in it. */
static struct td_sql *open_with_pair(const char *name) {
    struct td_error err = {0};
    struct td_sql *sql;
    if (td_sql_open(name, &sql, &err) < 0 || td_sql_script(sql, "schema/001-initial.sql", &err) < 0)
        fail_msg("%s", err.text);
    struct td_sql_stmt *q;
    assert_int_equal(td_sql_take(sql, "queries/add_pair.sql", &q, &err), 0);
    td_sql_bind_text(q, 1, "uuid");
    td_sql_bind_text(q, 2, "M");
    td_sql_bind_text(q, 3, "twins");
    td_sql_bind_int(q, 4, 1);
    td_sql_bind_int(q, 5, 1);
    td_sql_bind_int(q, 6, 0);
    td_sql_bind_int(q, 7, 1);
    assert_int_equal(td_sql_run(q, NULL, &err), 0);
    td_sql_release(&q);
    assert_int_equal(td_sql_last_id(sql), 1);
    return sql;
}

static int set_cycle(struct td_sql *sql, int64_t pair, int64_t cycle, int64_t *changes, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(sql, "queries/set_cycle.sql", &q, err);
    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, cycle);
    return td_sql_run(q, changes, err);
}

static int64_t get_cycle(struct td_sql *sql) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    assert_int_equal(td_sql_take(sql, "queries/pairs.sql", &q, NULL), 0);
    assert_int_equal(td_sql_step(q, NULL), 1);
    return td_sql_int(q, 6);
}

/* --- texts and statements ---------------------------------------------------------------------------- */

static void test_texts_are_sorted_and_all_prepare(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    struct td_error err = {0};
    assert_int_equal(td_sql_script(sql, "work/tables.sql", &err), 0);
    struct td_sql_stmt *attach;
    assert_int_equal(td_sql_take(sql, "queries/attach_copy.sql", &attach, &err), 0);
    td_sql_bind_text(attach, 1, "");
    assert_int_equal(td_sql_run(attach, NULL, &err), 0);
    td_sql_release(&attach);
    int prepared = 0;
    for (const struct td_sql_text *text = td_sql_texts; text->name; text++) {
        if (text != td_sql_texts)
            assert_true(strcmp(text[-1].name, text->name) < 0);
        if (strncmp(text->name, "queries/", 8) != 0 && strncmp(text->name, "work/", 5) != 0)
            continue;
        if (strcmp(text->name, "work/tables.sql") == 0 || strncmp(text->name, "queries/copy_", 13) == 0 ||
            strncmp(text->name, "queries/renew_", 14) == 0)
            continue;
        struct td_sql_stmt *q;
        if (td_sql_take(sql, text->name, &q, &err) < 0)
            fail_msg("%s: %s", text->name, err.text);
        td_sql_release(&q);
        prepared++;
    }
    assert_true(prepared > 60);
    td_sql_close(sql);
}

static void test_unknown_statement(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    struct td_error err = {0};
    struct td_sql_stmt *q;
    assert_int_equal(td_sql_take(sql, "queries/nothing.sql", &q, &err), -EINVAL);
    assert_null(q);
    assert_non_null(strstr(err.text, "queries/nothing.sql"));
    td_sql_release(&q); /* harmless */
    assert_int_equal(td_sql_script(sql, "schema/999.sql", &err), -EINVAL);
    td_sql_close(sql);
    td_sql_close(NULL);
}

static void test_the_same_statement_twice(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    struct td_sql_stmt *one, *two, *again;
    assert_int_equal(td_sql_take(sql, "queries/pairs.sql", &one, NULL), 0);
    assert_int_equal(td_sql_step(one, NULL), 1);
    assert_int_equal(td_sql_take(sql, "queries/pairs.sql", &two, NULL), 0);
    assert_ptr_not_equal(one, two);
    assert_int_equal(td_sql_step(two, NULL), 1);
    assert_int_equal(td_sql_step(two, NULL), 0);
    assert_string_equal(td_sql_text(one, 2), "M"); /* where it stood */
    struct td_sql_stmt *kept = one;
    td_sql_release(&one);
    assert_null(one);
    td_sql_release(&two);
    assert_int_equal(td_sql_take(sql, "queries/pairs.sql", &again, NULL), 0);
    assert_ptr_equal(again, kept); /* prepared once */
    td_sql_release(&again);
    td_sql_close(sql);
}

/* A statement that is taken anew has nothing left of its last use. */
static void test_bindings_do_not_survive(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    struct td_sql_stmt *q;
    assert_int_equal(set_cycle(sql, 1, 5, NULL, NULL), 0);
    assert_int_equal(td_sql_take(sql, "queries/set_cycle.sql", &q, NULL), 0);
    td_sql_bind_int(q, 2, 9); /* no pair */
    int64_t changes = -1;
    assert_int_equal(td_sql_run(q, &changes, NULL), 0);
    td_sql_release(&q);
    assert_int_equal(changes, 0);
    assert_int_equal(get_cycle(sql), 5);
    td_sql_close(sql);
}

static void put_file(struct td_sql *sql, const char *path, uint64_t ino, const void *hash, size_t hash_len, int want) {
    struct td_error err = {0};
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    assert_int_equal(td_sql_take(sql, "queries/put_file.sql", &q, &err), 0);
    for (int i = 4; i <= 25; i++)
        td_sql_bind_int(q, i, 0);
    td_sql_bind_int(q, 1, 1);
    td_sql_bind_bytes(q, 2, path);
    td_sql_bind_int(q, 3, 0);
    td_sql_bind_u64(q, 4, ino);
    td_sql_bind_bytes(q, 16, NULL);
    td_sql_bind_null(q, 17);
    td_sql_bind_blob(q, 18, hash, hash_len);
    assert_int_equal(td_sql_run(q, NULL, &err), want);
}

static void test_values_come_back(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    uint8_t hash[32], back[32];
    memset(hash, 0xa5, sizeof(hash));
    put_file(sql, "", UINT64_MAX, hash, sizeof(hash), 0);
    put_file(sql, "\x01\xff\n'", 7, NULL, 0, 0);
    struct td_sql_stmt *q;
    assert_int_equal(td_sql_take(sql, "queries/files_first.sql", &q, NULL), 0);
    td_sql_bind_int(q, 1, 1);
    td_sql_bind_int(q, 2, 10);
    assert_int_equal(td_sql_step(q, NULL), 1);
    assert_string_equal(td_sql_text(q, 0), "");
    assert_true(td_sql_u64(q, 2) == UINT64_MAX);
    assert_null(td_sql_text(q, 14));
    assert_true(td_sql_is_null(q, 15));
    assert_false(td_sql_hash(q, 16, back, 31));
    assert_true(td_sql_hash(q, 16, back, 32));
    assert_memory_equal(hash, back, 32);
    assert_int_equal(td_sql_step(q, NULL), 1);
    assert_string_equal(td_sql_text(q, 0), "\x01\xff\n'");
    assert_true(td_sql_is_null(q, 16));
    assert_int_equal(td_sql_int(q, 16), 0);
    assert_false(td_sql_hash(q, 16, back, 32));
    assert_int_equal(td_sql_step(q, NULL), 0);
    td_sql_release(&q);
    td_sql_close(sql);
}

static void test_constraints(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(NULL);
    put_file(sql, "x", 1, "short", 5, -EINVAL); /* no SHA-256 */
    struct td_error err = {0};
    struct td_sql_stmt *q;
    assert_int_equal(td_sql_take(sql, "queries/add_pair.sql", &q, &err), 0);
    td_sql_bind_text(q, 1, "uuid");
    td_sql_bind_text(q, 2, "other");
    td_sql_bind_text(q, 3, "twins");
    for (int i = 4; i <= 7; i++)
        td_sql_bind_int(q, i, 0);
    assert_int_equal(td_sql_run(q, NULL, &err), -EEXIST);
    td_sql_release(&q);
    assert_int_equal(td_sql_take(sql, "queries/add_mail.sql", &q, &err), 0);
    td_sql_bind_int(q, 1, 77); /* no such run */
    td_sql_bind_text(q, 2, "run");
    td_sql_bind_int(q, 3, 0);
    td_sql_bind_text(q, 4, "subject");
    td_sql_bind_text(q, 5, "message");
    assert_int_equal(td_sql_run(q, NULL, &err), -ENOENT);
    td_sql_release(&q);
    assert_int_equal(td_sql_take(sql, "queries/set_cycle.sql", &q, &err), 0);
    td_sql_bind_int(q, 9, 1); /* no such parameter */
    assert_int_equal(td_sql_step(q, &err), -EINVAL);
    assert_non_null(strstr(err.text, "queries/set_cycle.sql"));
    td_sql_release(&q);
    td_sql_close(sql);
}

/* --- connections ------------------------------------------------------------------------------------- */

static void test_transactions(void **state) {
    (void)state;
    struct td_sql *sql = open_with_pair(file);
    assert_false(td_sql_in_transaction(sql));
    assert_int_equal(td_sql_begin(sql, true, NULL), 0);
    assert_true(td_sql_in_transaction(sql));
    assert_int_equal(set_cycle(sql, 1, 3, NULL, NULL), 0);
    td_sql_rollback(sql);
    assert_int_equal(get_cycle(sql), 0);
    td_sql_rollback(sql);
    assert_int_equal(td_sql_begin(sql, true, NULL), 0);
    assert_int_equal(set_cycle(sql, 1, 4, NULL, NULL), 0);
    assert_int_equal(td_sql_commit(sql, NULL), 0);
    assert_int_equal(td_sql_commit(sql, NULL), -EINVAL);
    td_sql_close(sql);
    assert_int_equal(td_sql_open(file, &sql, NULL), 0);
    assert_int_equal(get_cycle(sql), 4);
    td_sql_close(sql);
}

static void test_reader(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_sql *sql;
    assert_int_equal(td_sql_open_reader(file, &sql, &err), -ENOENT);
    assert_null(sql);
    assert_int_equal(access(file, F_OK), -1);
    td_sql_close(open_with_pair(file));
    assert_int_equal(td_sql_open_reader(file, &sql, &err), 0);
    assert_int_equal(get_cycle(sql), 0);
    assert_int_equal(set_cycle(sql, 1, 3, NULL, &err), -EROFS);
    td_sql_close(sql);
}

static void test_no_database(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_sql *sql;
    TD_AUTOCLOSE int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 200; i++)
        assert_int_equal(write(fd, "this is no database at all ", 27), 27);
    assert_int_equal(td_sql_open(file, &sql, &err), 0); /* SQLite looks at the first statement */
    assert_int_equal(td_sql_script(sql, "schema/001-initial.sql", &err), -EUCLEAN);
    assert_non_null(strstr(err.text, file));
    td_sql_close(sql);
    assert_int_equal(td_sql_open(scratch, &sql, &err), -EISDIR);
}

/* Whatever a name looks like, it names a file. */
static void test_plain_names(void **state) {
    (void)state;
    TD_AUTOFREE char *memory = td_sql_plain_name(":memory:");
    TD_AUTOFREE char *uri = td_sql_plain_name("file:x?mode=memory");
    TD_AUTOFREE char *path = td_sql_plain_name("/a/b");
    assert_string_equal(memory, "./:memory:");
    assert_string_equal(uri, "./file:x?mode=memory");
    assert_string_equal(path, "/a/b");
}

static void test_busy(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_sql *one = open_with_pair(file);
    struct td_sql *two;
    assert_int_equal(td_sql_open(file, &two, &err), 0);
    td_sql_patience(two, 20);
    assert_int_equal(td_sql_begin(one, true, NULL), 0);
    assert_int_equal(td_sql_begin(two, true, &err), -EBUSY);
    assert_non_null(strstr(err.text, "held by another process"));
    assert_int_equal(set_cycle(two, 1, 3, NULL, &err), -EBUSY);
    td_sql_rollback(one);
    assert_int_equal(set_cycle(two, 1, 3, NULL, &err), 0);
    td_sql_close(one);
    td_sql_close(two);
}

/* A file that may not grow gives what a full disk gives, or an I/O error; never success. */
static void test_no_room(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_sql *sql = open_with_pair(file);
    struct rlimit old, tight;
    struct stat empty;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(stat(file, &empty), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)empty.st_size + (64 << 10), .rlim_max = old.rlim_max};
    assert_int_equal(td_sql_begin(sql, true, &err), 0);
    uint8_t hash[32] = {1};
    for (int i = 0; i < 3000; i++) {
        char path[32];
        snprintf(path, sizeof(path), "file %d", i);
        put_file(sql, path, 1, hash, 32, 0);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int rc = td_sql_commit(sql, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_true(rc == -EIO || rc == -ENOSPC);
    assert_false(td_sql_in_transaction(sql));
    td_sql_close(sql);
    assert_int_equal(td_sql_open_reader(file, &sql, &err), 0);
    struct td_sql_stmt *q;
    assert_int_equal(td_sql_take(sql, "queries/totals.sql", &q, &err), 0);
    td_sql_bind_int(q, 1, 1);
    assert_int_equal(td_sql_step(q, &err), 1);
    assert_int_equal(td_sql_int(q, 0), 0);
    td_sql_release(&q);
    td_sql_close(sql);
}

/* --- processes --------------------------------------------------------------------------------------- */

static void test_this_process_lives(void **state) {
    (void)state;
    struct td_self self;
    td_self_get(&self);
    assert_int_equal(self.pid, getpid());
    assert_true(self.start > 0);
    assert_int_equal(strlen(self.boot), 36);
    assert_true(td_self_alive(&self));
    struct td_self other = self;
    other.start++; /* its number was given to another */
    assert_false(td_self_alive(&other));
    other = self;
    other.boot[0] = other.boot[0] == '0' ? '1' : '0'; /* the machine was started anew */
    assert_false(td_self_alive(&other));
    other = self;
    other.pid = 0;
    assert_false(td_self_alive(&other));
    other = self;
    other.boot[0] = '\0'; /* unknown is no reason */
    other.start = 0;
    assert_true(td_self_alive(&other));
}

static void test_a_killed_process_is_dead_before_it_is_reaped(void **state) {
    (void)state;
    int pipes[2];
    struct td_self child = {0};
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        td_self_get(&child);
        if (write(pipes[1], &child, sizeof(child)) == (ssize_t)sizeof(child))
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &child, sizeof(child)), sizeof(child));
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(child.pid, pid);
    assert_true(td_self_alive(&child));
    kill(pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(td_self_alive(&child)); /* a zombie */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(td_self_alive(&child));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_sorted_and_all_prepare),
        cmocka_unit_test(test_unknown_statement),
        cmocka_unit_test(test_the_same_statement_twice),
        cmocka_unit_test(test_bindings_do_not_survive),
        cmocka_unit_test(test_values_come_back),
        cmocka_unit_test(test_constraints),
        cmocka_unit_test_teardown(test_transactions, empty_scratch),
        cmocka_unit_test_teardown(test_reader, empty_scratch),
        cmocka_unit_test_teardown(test_no_database, empty_scratch),
        cmocka_unit_test(test_plain_names),
        cmocka_unit_test_teardown(test_busy, empty_scratch),
        cmocka_unit_test_teardown(test_no_room, empty_scratch),
        cmocka_unit_test(test_this_process_lives),
        cmocka_unit_test(test_a_killed_process_is_dead_before_it_is_reaped),
    };
    return cmocka_run_group_tests_name("sql", tests, make_scratch, remove_scratch);
}
