#include "twindock/base/buf.h"
#include "twindock/base/io.h"
#include "twindock/platform/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/twindock-ini-XXXXXX";

struct seen {
    struct td_buf text;
    int stop_at; /* the line at which the handler ends the parse with -ENODATA, 0: never */
};

static int note(void *ctx, const char *section, const char *key, const char *value, int line) {
    struct seen *seen = ctx;
    if (key)
        td_buf_printf(&seen->text, "%d [%s] <%s> <%s>\n", line, section, key, value);
    else
        td_buf_printf(&seen->text, "%d [%s]%s\n", line, section, value ? "?" : "");
    return line == seen->stop_at ? -ENODATA : 0;
}

static void put(const char *data, size_t len) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, data, len), 0);
    close(fd);
}

static void gives_bytes(const char *data, size_t len, const char *expected) {
    struct seen seen = {0};
    struct td_error err = {0};
    put(data, len);
    int rc = td_ini_parse(file, note, &seen, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(td_buf_text(&seen.text), expected);
    td_buf_free(&seen.text);
}

static void gives(const char *data, const char *expected) {
    gives_bytes(data, strlen(data), expected);
}

/* Refused on `line`, with what was called before it in `before`. */
static void refuses_bytes(const char *data, size_t len, int line, const char *why, const char *before) {
    struct seen seen = {0};
    struct td_error err = {0};
    char place[64];
    put(data, len);
    snprintf(place, sizeof place, "%s:%d: ", file, line);
    assert_int_equal(td_ini_parse(file, note, &seen, &err), -EINVAL);
    assert_int_equal(strncmp(err.text, place, strlen(place)), 0);
    if (!strstr(err.text, why) || !strstr(err.text, "expected"))
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_string_equal(td_buf_text(&seen.text), before);
    td_buf_free(&seen.text);
}

static void refuses(const char *data, int line, const char *why, const char *before) {
    refuses_bytes(data, strlen(data), line, why, before);
}

static void sections_and_pairs(void **state) {
    (void)state;
    gives("", "");
    gives("\n\n", "");
    gives("a = 1\n[s]\nb=2\n\n[ t u ]\nc: 3\n[empty]", "1 [] <a> <1>\n2 [s]\n3 [s] <b> <2>\n5 [t u]\n6 [t u] <c> <3>\n"
                                                       "7 [empty]\n");
    gives("[s]\nlast = no newline", "1 [s]\n2 [s] <last> <no newline>\n");
    gives("empty =\nblank =   \n= no key\n", "1 [] <empty> <>\n2 [] <blank> <>\n3 [] <> <no key>\n");
    gives("a = b = c : d\n", "1 [] <a> <b = c : d>\n");
    gives("a = x\r\n[s]\r\n\r\nb = y  \t\r\n", "1 [] <a> <x>\n2 [s]\n4 [s] <b> <y>\n");
    gives("\xef\xbb\xbf[s]\na = 1\n", "1 [s]\n2 [s] <a> <1>\n");
}

static void repeated_keys_and_indents(void **state) {
    (void)state;
    gives("e = 1\ne = 2\ne = 2\n", "1 [] <e> <1>\n2 [] <e> <2>\n3 [] <e> <2>\n");
    gives("[s]\na = 1\n  b = 2\n\tc = 3\n  [t]\n", "1 [s]\n2 [s] <a> <1>\n3 [s] <b> <2>\n4 [s] <c> <3>\n5 [t]\n");
    refuses("a = 1\n   2\n", 2, "without '='", "1 [] <a> <1>\n");
}

static void comments(void **state) {
    (void)state;
    gives("; a = 1\n# b = 2\n  ; c\n\t# d = 3\ne = 4\n", "5 [] <e> <4>\n");
    gives("a = 1   ; words = more\n", "1 [] <a> <1>\n");
    gives("a =   ; nothing\n", "1 [] <a> <>\n");
    gives("a = ;nothing\n", "1 [] <a> <>\n");
    gives("a = b;c\n", "1 [] <a> <b;c>\n");
    gives("a = *#*\nb = #x# # y\n", "1 [] <a> <*#*>\n2 [] <b> <#x# # y>\n");
    gives("a = x [;]y\nb = x \\;y\n", "1 [] <a> <x [;]y>\n2 [] <b> <x \\;y>\n");
    gives("[s] ; words\n[t]# words\n", "1 [s]\n2 [t]\n");
    refuses("a ; = 1\n", 1, "without '='", "");
}

static void what_is_no_ini(void **state) {
    (void)state;
    refuses("[s]\na = 1\nnonsense\nb = 2\n", 3, "without '='", "1 [s]\n2 [s] <a> <1>\n");
    refuses("nonsense", 1, "without '='", "");
    refuses("[s\n", 1, "'[s'", "");
    refuses("[s] a = 1\n", 1, "'a = 1' after ']'", "");
    refuses_bytes("a = 1\nb = \0x\n", 13, 2, "NUL", "1 [] <a> <1>\n");
    refuses_bytes("\0", 1, 1, "NUL", "");
}

/* Nothing is ever cut: a value comes whole or is refused. */
static void long_lines(void **state) {
    (void)state;
    for (size_t len = 1; len < 5000; len += len < 300 ? 1 : 97) {
        TD_AUTOBUF struct td_buf text = {0}, expected = {0};
        struct td_error err = {0};
        struct seen seen = {0};
        td_buf_puts(&text, "a = ");
        td_buf_puts(&expected, "1 [] <a> <");
        for (size_t i = 0; i < len; i++) {
            td_buf_putc(&text, (char)('a' + i % 26));
            td_buf_putc(&expected, (char)('a' + i % 26));
        }
        td_buf_puts(&text, "   ; with a comment of some length that is not counted, however long it may be\nb = 1\n");
        td_buf_puts(&expected, ">\n2 [] <b> <1>\n");
        put(text.data, text.len);
        int rc = td_ini_parse(file, note, &seen, &err);
        assert_int_equal(rc, 0);
        assert_string_equal(td_buf_text(&seen.text), td_buf_text(&expected));
        td_buf_free(&seen.text);
    }
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_puts(&text, "[");
    for (int i = 0; i < 300; i++)
        td_buf_putc(&text, 'x');
    td_buf_puts(&text, "]\n");
    TD_AUTOBUF struct td_buf expected = {0};
    td_buf_printf(&expected, "1 [%.300s]\n", text.data + 1);
    gives(text.data, td_buf_text(&expected));

    for (int i = 0; i < TD_INI_LINE_MAX; i++)
        td_buf_putc(&text, '#');
    refuses(text.data, 2, "longer line", td_buf_text(&expected));
}

/* Whatever its length, a pair is split in the same way. */
static void long_pairs(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *key, *first, *last; /* of the line, of its value */
    } rows[] = {
        {"a=", "=:b", "a", "", "=:b"},     {"a : ", "", "a", "", ""}, {"\t a\t:= ", " # c ; d", "a", "= ", " # c"},
        {"a = \"", "\"", "a", "\"", "\""}, {"=", "", "", "", ""},
    };
    char filler[401];
    memset(filler, 'y', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t skip = 0; skip < sizeof filler; skip += 200) {
            TD_AUTOBUF struct td_buf text = {0}, expected = {0};
            td_buf_printf(&text, "[s]\n%sx%s%s\n", rows[i].before, filler + skip, rows[i].after);
            td_buf_printf(&expected, "1 [s]\n2 [s] <%s> <%sx%s%s>\n", rows[i].key, rows[i].first, filler + skip,
                          rows[i].last);
            gives(text.data, td_buf_text(&expected));
        }
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_printf(&text, "[s]\n%s\n", filler);
    refuses(text.data, 2, "without '='", "1 [s]\n");
}

static void the_handler_ends_it(void **state) {
    (void)state;
    struct seen seen = {.stop_at = 2};
    static const char text[] = "[s]\na = 1\nb = 2\nnonsense\n";
    put(text, sizeof text - 1);
    assert_int_equal(td_ini_parse(file, note, &seen, NULL), -ENODATA);
    assert_string_equal(td_buf_text(&seen.text), "1 [s]\n2 [s] <a> <1>\n");
    td_buf_clear(&seen.text);
    seen.stop_at = 1;
    assert_int_equal(td_ini_parse(file, note, &seen, NULL), -ENODATA);
    assert_string_equal(td_buf_text(&seen.text), "1 [s]\n");
    td_buf_free(&seen.text);
}

static void what_cannot_be_read(void **state) {
    (void)state;
    struct td_error err = {0};
    assert_int_equal(td_ini_parse("/nonexistent/x.conf", note, NULL, &err), -ENOENT);
    assert_string_equal(err.text, "/nonexistent/x.conf: cannot be read: No such file or directory");
    assert_int_equal(td_ini_parse("/tmp", note, NULL, &err), -EISDIR);
    assert_string_equal(err.text, "/tmp: cannot be read: Is a directory");
    /* Opens, but the first read fails with EIO: no process has its memory at address 0. */
    assert_int_equal(td_ini_parse("/proc/self/mem", note, NULL, &err), -EIO);
    assert_string_equal(err.text, "/proc/self/mem: cannot be read: Input/output error");
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_pairs),
        cmocka_unit_test(repeated_keys_and_indents),
        cmocka_unit_test(comments),
        cmocka_unit_test(what_is_no_ini),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(long_pairs),
        cmocka_unit_test(the_handler_ends_it),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
