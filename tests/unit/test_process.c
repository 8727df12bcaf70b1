#include "twindock/base/clock.h"
#include "twindock/platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int run_shell(const char *script, struct td_buf *output, int timeout_s, struct td_error *err) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    return td_process_run(&(struct td_process){.argv = argv, .output = output, .timeout_s = timeout_s}, err);
}

static void assert_no_child(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void exit_status_comes_back(void **state) {
    (void)state;
    assert_int_equal(run_shell("exit 0", NULL, 0, NULL), 0);
    assert_int_equal(run_shell("exit 7", NULL, 10, NULL), 7);
    assert_int_equal(run_shell("exit 255", NULL, 0, NULL), 255);
    assert_int_equal(run_shell("kill -KILL $$", NULL, 0, NULL), 128 + SIGKILL);
    assert_no_child();
}

static void output_and_errors_come_together(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf output = {0};
    assert_int_equal(run_shell("echo one; echo two >&2; echo three", &output, 0, NULL), 0);
    assert_string_equal(td_buf_text(&output), "one\ntwo\nthree\n");
    assert_no_child();
}

static void much_output_is_cut_and_drained(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf output = {0};
    assert_int_equal(run_shell("head -c 3000000 /dev/zero | tr '\\0' x; exit 4", &output, 30, NULL), 4);
    assert_int_equal(output.len, 64 * 1024);
    assert_int_equal(output.data[0], 'x');
}

static void input_is_fed_whole(void **state) {
    (void)state;
    const size_t len = 1000000;
    char *input = malloc(len);
    assert_non_null(input);
    memset(input, 'y', len);
    TD_AUTOBUF struct td_buf output = {0};
    const char *const count[] = {"wc", "-c", NULL};
    struct td_process process = {.argv = count, .input = input, .input_len = len, .output = &output};
    assert_int_equal(td_process_run(&process, NULL), 0);
    assert_string_equal(td_buf_text(&output), "1000000\n");
    /* One that does not read it is no problem either. */
    const char *const ignore[] = {"true", NULL};
    process.argv = ignore;
    assert_int_equal(td_process_run(&process, NULL), 0);
    free(input);
}

static void no_input_is_end_of_file(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf output = {0};
    assert_int_equal(run_shell("cat; echo done", &output, 10, NULL), 0);
    assert_string_equal(td_buf_text(&output), "done\n");
}

static void a_late_one_is_ended(void **state) {
    (void)state;
    struct td_error err = {0};
    int64_t begin = td_boot_ns();
    assert_int_equal(run_shell("sleep 60", NULL, 1, &err), -ETIMEDOUT);
    assert_true(td_boot_ns() - begin < 2500000000);
    assert_non_null(strstr(err.text, "1 second"));
    assert_no_child();
}

static void a_stubborn_group_is_killed(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf output = {0};
    int64_t begin = td_boot_ns();
    /* Neither the shell nor its child heeds SIGTERM. */
    assert_int_equal(run_shell("trap '' TERM; sleep 61 & echo $!; wait; sleep 61", &output, 1, NULL), -ETIMEDOUT);
    int64_t took = td_boot_ns() - begin;
    assert_true(took > 2900000000 && took < 4500000000);
    pid_t grandchild = (pid_t)strtol(td_buf_text(&output), NULL, 10);
    assert_true(grandchild > 1);
    /* It was in the group, so it went too; somebody else reaps it, which may take a moment. */
    char path[64], status[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)grandchild);
    for (int i = 0; i < 50; i++) {
        FILE *file = fopen(path, "re");
        if (!file)
            return;
        size_t got = fread(status, 1, sizeof status - 1, file);
        status[got] = '\0';
        fclose(file);
        if (strstr(status, ") Z "))
            return;
        usleep(20000);
    }
    fail_msg("a grandchild lives on: %s", status);
}

static void a_lingering_grandchild_is_not_waited_for(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf output = {0};
    int64_t begin = td_boot_ns();
    assert_int_equal(run_shell("echo said; sleep 3 & exit 3", &output, 0, NULL), 3);
    assert_true(td_boot_ns() - begin < 2000000000);
    assert_string_equal(td_buf_text(&output), "said\n");
}

static void what_cannot_start_is_an_error(void **state) {
    (void)state;
    struct td_error err = {0};
    const char *const missing[] = {"no-such-program-anywhere", NULL};
    assert_int_equal(td_process_run(&(struct td_process){.argv = missing}, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no-such-program-anywhere"));
    const char *const denied[] = {"/dev/null", NULL};
    assert_int_equal(td_process_run(&(struct td_process){.argv = denied}, NULL), -EACCES);
    const char *const relative[] = {"bin/true", NULL};
    assert_int_equal(td_process_run(&(struct td_process){.argv = relative}, NULL), -EINVAL);
    assert_no_child();
}

static void the_child_gets_a_clean_room(void **state) {
    (void)state;
    setenv("TWINDOCK_TEST_LEAK", "1", 1);
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    assert_true(leak >= 0);
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, &before);
    signal(SIGPIPE, SIG_IGN);
    TD_AUTOBUF struct td_buf output = {0};
    int rc = run_shell("env | grep -v '^PWD=\\|^SHLVL=\\|^_=\\|^OLDPWD=' | sort\n"
                       "sed -nE 's/^(SigBlk|SigIgn):.*(.{7})$/\\1 \\2/p' /proc/self/status\n"
                       "ls /proc/self/fd | wc -l\n"
                       "set -- $(cat /proc/$$/stat)\n"
                       "test $5 = $$ && echo own group",
                       &output, 0, NULL);
    sigset_t after;
    sigprocmask(SIG_SETMASK, &before, &after);
    signal(SIGPIPE, SIG_DFL);
    close(leak);
    unsetenv("TWINDOCK_TEST_LEAK");
    assert_int_equal(rc, 0);
    assert_true(sigismember(&after, SIGTERM) && sigismember(&after, SIGUSR1)); /* ours is as it was */
    assert_string_equal(td_buf_text(&output), "LC_ALL=C\n"
                                              "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
                                              "SigBlk 0000000\n" /* signals 1 to 28 */
                                              "SigIgn 0000000\n"
                                              "4\n" /* 0, 1, 2 and that of ls itself */
                                              "own group\n");
}

static size_t open_descriptors(void) {
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void no_descriptor_is_lost(void **state) {
    (void)state;
    size_t before = open_descriptors();
    TD_AUTOBUF struct td_buf output = {0};
    const char *const missing[] = {"no-such-program-anywhere", NULL};
    run_shell("echo x", &output, 5, NULL);
    td_process_run(&(struct td_process){.argv = missing, .output = &output, .input = "x", .input_len = 1}, NULL);
    assert_int_equal(open_descriptors(), before);
}

static void works_without_stdio(void **state) {
    (void)state;
    /* A daemon may have 0..2 closed: then our own descriptors land there. Tried in a child, to keep our own. */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(0);
        close(1);
        close(2);
        TD_AUTOBUF struct td_buf output = {0};
        const char *const argv[] = {"cat", NULL};
        struct td_process process = {.argv = argv, .input = "through", .input_len = 7, .output = &output};
        int rc = td_process_run(&process, NULL);
        int right = rc == 0 && strcmp(td_buf_text(&output), "through") == 0;
        td_buf_free(&output);
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The companion tells of its life and its end in a file, a line each. */
static void wait_for_lines(const char *file, const char *want) {
    char have[64] = "";
    for (int i = 0; i < 500 && strcmp(have, want) != 0; i++) {
        FILE *in = fopen(file, "re");
        size_t got = in != NULL ? fread(have, 1, sizeof have - 1, in) : 0;
        have[got] = '\0';
        if (in != NULL)
            fclose(in);
        usleep(10000);
    }
    assert_string_equal(have, want);
}

static const char telling[] = "trap '' TERM; echo begun >>$0; cat; echo ended >>$0";

static void a_companion_lives_until_it_is_stopped(void **state) {
    (void)state;
    char file[] = "/tmp/twindock-test.XXXXXX";
    close(mkstemp(file));
    struct td_companion companion;
    assert_int_equal(td_process_start((const char *const[]){"sh", "-c", telling, file, NULL}, &companion, NULL), 0);
    wait_for_lines(file, "begun\n");
    usleep(50000);
    assert_int_equal(waitpid(companion.pid, NULL, WNOHANG), 0);
    td_process_stop(&companion);
    wait_for_lines(file, "begun\nended\n"); /* by the end of its input alone */
    assert_int_equal(companion.pid, 0);
    td_process_stop(&companion);
    assert_no_child();
    unlink(file);
}

static void a_companion_ends_with_us(void **state) {
    (void)state;
    char file[] = "/tmp/twindock-test.XXXXXX";
    close(mkstemp(file));
    pid_t pid = fork();
    if (pid == 0) {
        struct td_companion companion;
        if (td_process_start((const char *const[]){"sh", "-c", telling, file, NULL}, &companion, NULL) == 0)
            pause();
        _exit(1);
    }
    assert_true(pid > 0);
    wait_for_lines(file, "begun\n");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_for_lines(file, "begun\nended\n");
    unlink(file);
}

static void a_companion_that_cannot_start_is_none(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_companion companion;
    assert_int_equal(td_process_start((const char *const[]){"no-such-program", NULL}, &companion, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no-such-program"));
    assert_int_equal(companion.pid, 0);
    td_process_stop(&companion);
    assert_no_child();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_comes_back),
        cmocka_unit_test(output_and_errors_come_together),
        cmocka_unit_test(much_output_is_cut_and_drained),
        cmocka_unit_test(input_is_fed_whole),
        cmocka_unit_test(no_input_is_end_of_file),
        cmocka_unit_test(a_late_one_is_ended),
        cmocka_unit_test(a_stubborn_group_is_killed),
        cmocka_unit_test(a_lingering_grandchild_is_not_waited_for),
        cmocka_unit_test(what_cannot_start_is_an_error),
        cmocka_unit_test(the_child_gets_a_clean_room),
        cmocka_unit_test(no_descriptor_is_lost),
        cmocka_unit_test(works_without_stdio),
        cmocka_unit_test(a_companion_lives_until_it_is_stopped),
        cmocka_unit_test(a_companion_ends_with_us),
        cmocka_unit_test(a_companion_that_cannot_start_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
