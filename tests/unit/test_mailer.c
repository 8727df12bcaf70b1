/* With real programs in the mailer's place: scripts in a directory of their own. */
#include "twindock/base/buf.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"
#include "twindock/platform/mailer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/twindock-mailer-XXXXXX";
static int dir_fd = -1;

/* Make the mailer a script that does `body`; its arguments are noted in "args", one a line. */
static void script(char *path, size_t size, const char *body) {
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_printf(&text, "#!/bin/sh\ncd '%s' || exit 99\nprintf '%%s\\n' \"$@\" >args\n%s\n", dir, body);
    snprintf(path, size, "%s/sendmail", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, text.data, text.len), 0);
    assert_int_equal(close(fd), 0);
}

static void expect_file(const char *name, const void *data, size_t len) {
    TD_AUTOBUF struct td_buf got = {0};
    assert_int_equal(td_read_small(dir_fd, name, 1 << 24, &got, NULL), 0);
    assert_int_equal(got.len, len);
    assert_memory_equal(got.data, data, len);
}

static void the_message_arrives_unchanged(void **state) {
    (void)state;
    char program[256];
    struct td_error err = {0};
    static const char mail[] = "Subject: x\n\nA line\n.\nafter a dot, \\ $HOME `id` \xff\r\n\0bytes";
    script(program, sizeof program, "cat >message");
    assert_int_equal(td_mailer_send(program, "root", mail, sizeof mail - 1, 10, &err), 0);
    expect_file("message", mail, sizeof mail - 1);
    static const char args[] = "-i\n--\nroot\n";
    expect_file("args", args, sizeof args - 1);
}

static void a_large_message_arrives_too(void **state) {
    (void)state;
    char program[256];
    size_t len = 3 << 20;
    char *mail = malloc(len);
    assert_non_null(mail);
    for (size_t i = 0; i < len; i++)
        mail[i] = (char)(i * 31 + i / 4096);
    /* Says more than a pipe holds before it reads: neither side may wait for the other for ever. */
    script(program, sizeof program, "head -c 300000 /dev/zero; cat >message");
    assert_int_equal(td_mailer_send(program, "a@example.org", mail, len, 20, NULL), 0);
    expect_file("message", mail, len);
    free(mail);
}

static void a_failing_mailer_is_told(void **state) {
    (void)state;
    char program[256], expected[512];
    struct td_error err = {0};
    script(program, sizeof program, "cat >/dev/null; echo 'no such user' >&2; echo second; exit 67");
    assert_int_equal(td_mailer_send(program, "root", "x\n", 2, 10, &err), -EIO);
    snprintf(expected, sizeof expected, "sending mail: %s: exit status 67: no such user", program);
    assert_string_equal(err.text, expected);

    script(program, sizeof program, "cat >/dev/null; exit 1");
    assert_int_equal(td_mailer_send(program, "root", "x\n", 2, 10, &err), -EIO);
    snprintf(expected, sizeof expected, "sending mail: %s: exit status 1", program);
    assert_string_equal(err.text, expected);

    script(program, sizeof program, "kill -9 $$");
    assert_int_equal(td_mailer_send(program, "root", "x\n", 2, 10, &err), -EIO);
    snprintf(expected, sizeof expected, "sending mail: %s: ended by signal 9", program);
    assert_string_equal(err.text, expected);
}

/* One that ends well without reading everything has taken what it wanted; SIGPIPE must not kill us. */
static void a_mailer_that_reads_nothing(void **state) {
    (void)state;
    char program[256];
    char *mail = calloc(1, 1 << 20);
    assert_non_null(mail);
    script(program, sizeof program, "exit 75");
    assert_int_equal(td_mailer_send(program, "root", mail, 1 << 20, 10, NULL), -EIO);
    free(mail);
}

static void a_hanging_mailer_is_killed(void **state) {
    (void)state;
    char program[256];
    struct td_error err = {0};
    /* The child holds the pipe open and ignores SIGTERM, as the worst of them would. */
    script(program, sizeof program, "trap '' TERM; echo $$ >pid; sleep 300 & sleep 301");
    int64_t begun = td_boot_ns();
    assert_int_equal(td_mailer_send(program, "root", "x\n", 2, 1, &err), -ETIMEDOUT);
    int64_t took = td_boot_ns() - begun;
    assert_true(took >= INT64_C(900000000));
    assert_true(took < INT64_C(10000000000));
    assert_non_null(strstr(err.text, "sending mail: "));
    assert_non_null(strstr(err.text, "1 second"));
    TD_AUTOBUF struct td_buf pid = {0};
    assert_int_equal(td_read_small(dir_fd, "pid", 32, &pid, NULL), 0);
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/%ld", strtol(td_buf_text(&pid), NULL, 10));
    assert_int_equal(access(proc, F_OK), -1);
}

static void a_missing_mailer(void **state) {
    (void)state;
    struct td_error err = {0};
    assert_int_equal(td_mailer_send("/nonexistent/sendmail", "root", "x\n", 2, 5, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/sendmail"));
}

static void recipients_that_are_none(void **state) {
    (void)state;
    static const char *const bad[] = {"", "-t", "-oQ/tmp", "root\nBcc: x", "root\r", "a b", "a\tb", "a\x7f", "\x01"};
    char program[256];
    script(program, sizeof program, "cat >ran");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct td_error err = {0};
        assert_int_equal(td_mailer_send(program, bad[i], "x\n", 2, 10, &err), -EINVAL);
        assert_non_null(strstr(err.text, "recipient"));
    }
    assert_int_equal(faccessat(dir_fd, "ran", F_OK, 0), -1);
}

static int make_dir(void **state) {
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0 ? -1 : 0;
}

static int remove_dir(void **state) {
    (void)state;
    static const char *const names[] = {"sendmail", "args", "message", "pid", "ran"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(dir_fd, names[i], 0);
    close(dir_fd);
    return rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_arrives_unchanged), cmocka_unit_test(a_large_message_arrives_too),
        cmocka_unit_test(a_failing_mailer_is_told),      cmocka_unit_test(a_mailer_that_reads_nothing),
        cmocka_unit_test(a_hanging_mailer_is_killed),    cmocka_unit_test(a_missing_mailer),
        cmocka_unit_test(recipients_that_are_none),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
