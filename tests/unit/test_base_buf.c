/* base/buf.h and base/error.h: texts that grow, and errors that carry their context. */
#include "twindock/base/buf.h"
#include "twindock/base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void buf_starts_empty(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf buf = {0};
    assert_string_equal(td_buf_text(&buf), "");
    td_buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    td_buf_add(&buf, NULL, 0);
    assert_string_equal(buf.data, "");
}

static void buf_grows_and_stays_terminated(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf buf = {0};
    for (int i = 0; i < 5000; i++) {
        td_buf_putc(&buf, (char)('a' + i % 26));
        assert_int_equal(strlen(buf.data), buf.len);
    }
    assert_int_equal(buf.len, 5000);
    assert_int_equal(buf.data[4999], 'a' + 4999 % 26);
    assert_true(buf.cap > buf.len);

    td_buf_clear(&buf);
    td_buf_add(&buf, "a\0b", 3);
    assert_int_equal(buf.len, 3);
    assert_memory_equal(buf.data, "a\0b\0", 4);
}

static void buf_prints(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf buf = {0};
    char wide[300];
    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    td_buf_puts(&buf, "<");
    td_buf_printf(&buf, "%d %s", 42, wide);
    td_buf_puts(&buf, ">");
    assert_int_equal(buf.len, 1 + 3 + 299 + 1);
    assert_memory_equal(buf.data, "<42 xxx", 7);
    assert_string_equal(buf.data + buf.len - 2, "x>");
}

static void buf_is_taken(void **state) {
    (void)state;
    struct td_buf buf = {0};
    char *nothing = td_buf_take(&buf);
    assert_string_equal(nothing, "");
    free(nothing);
    td_buf_puts(&buf, "mine");
    char *text = td_buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    free(text);
}

static void error_says_what_and_why(void **state) {
    (void)state;
    struct td_error err = {0};
    assert_int_equal(td_fail(&err, ENOENT, "cannot open %s", "a%sb"), -ENOENT);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.text, "cannot open a%sb: No such file or directory");

    assert_int_equal(td_fail_text(&err, EINVAL, "line %d is odd", 7), -EINVAL);
    assert_int_equal(err.code, EINVAL);
    assert_string_equal(err.text, "line 7 is odd");
}

static void error_is_wrapped(void **state) {
    (void)state;
    struct td_error err = {0};
    int rc = td_fail(&err, EIO, "cannot read %s", "x");
    assert_int_equal(td_wrap(&err, rc, "member %c", 'B'), -EIO);
    assert_string_equal(err.text, "member B: cannot read x: Input/output error");
    assert_int_equal(err.code, EIO);

    /* Success passes through and leaves no words. */
    struct td_error none = {0};
    assert_int_equal(td_wrap(&none, 3, "count"), 3);
    assert_int_equal(none.code, 0);
    assert_string_equal(none.text, "");

    /* A code that came without words gets the system's. */
    assert_int_equal(td_wrap(&none, -ENOSPC, "disk A"), -ENOSPC);
    assert_string_equal(none.text, "disk A: No space left on device");
    assert_int_equal(none.code, ENOSPC);
}

static void error_may_be_absent(void **state) {
    (void)state;
    assert_int_equal(td_fail(NULL, EPERM, "x"), -EPERM);
    assert_int_equal(td_fail_text(NULL, EPERM, "x"), -EPERM);
    assert_int_equal(td_wrap(NULL, -EPERM, "x"), -EPERM);
}

static void error_never_reports_success(void **state) {
    (void)state;
    struct td_error err = {0};
    assert_int_equal(td_fail(&err, 0, "x"), -EIO);
    assert_int_equal(td_fail_text(&err, -ENOENT, "x"), -ENOENT);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(td_fail(&err, 99999, "x"), -99999);
    assert_string_equal(err.text, "x: Unknown error");
}

/* A path may be longer than the text: the reason at the end and the beginning must survive, at every length. */
static void error_keeps_the_reason_of_long_texts(void **state) {
    (void)state;
    char name[3 * TD_ERROR_TEXT];
    for (size_t len = TD_ERROR_TEXT - 200; len < sizeof(name); len += len < TD_ERROR_TEXT + 50 ? 1 : 97) {
        struct td_error err = {0};
        memset(name, 'n', len);
        name[len] = '\0';
        int rc = td_fail(&err, EIO, "cannot read %s", name);
        assert_true(strlen(err.text) < TD_ERROR_TEXT);
        assert_memory_equal(err.text, "cannot read nnn", 15);
        assert_string_equal(err.text + strlen(err.text) - 20, ": Input/output error");
        for (int depth = 0; depth < 3; depth++)
            td_wrap(&err, rc, "copying %s to member A", name);
        assert_true(strlen(err.text) < TD_ERROR_TEXT);
        assert_memory_equal(err.text, "copying nnn", 11);
        assert_string_equal(err.text + strlen(err.text) - 20, ": Input/output error");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_starts_empty),
        cmocka_unit_test(buf_grows_and_stays_terminated),
        cmocka_unit_test(buf_prints),
        cmocka_unit_test(buf_is_taken),
        cmocka_unit_test(error_says_what_and_why),
        cmocka_unit_test(error_is_wrapped),
        cmocka_unit_test(error_may_be_absent),
        cmocka_unit_test(error_never_reports_success),
        cmocka_unit_test(error_keeps_the_reason_of_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
