/* The small helpers that sentences are made with. */
#include "twindock/report/text.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_wrap(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    td_text_wrap(&out, "  one two  three averylongwordindeed x", 9, "  ");
    assert_string_equal(td_buf_text(&out), "one two\n  three\n  averylongwordindeed\n  x\n");
    td_buf_clear(&out);
    td_text_wrap(&out, "\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9", 6, "");
    assert_string_equal(td_buf_text(&out), "\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\n");
    td_buf_clear(&out);
    td_text_wrap(&out, "   ", 6, "");
    assert_string_equal(td_buf_text(&out), "");
}

static void test_wrap_keeps_commands_and_names_whole(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0}, text = {0};
    td_text_wrap(&out, "say `a b c` now, `lone d", 8, "");
    assert_string_equal(td_buf_text(&out), "say\n`a b c`\nnow,\n`lone d\n");
    td_buf_clear(&out);
    td_buf_puts(&text, "see M/a b and M/a b c");
    td_text_glue(&text, "M/a b");
    td_text_glue(&text, "");
    td_text_wrap(&out, td_buf_text(&text), 4, "");
    assert_string_equal(td_buf_text(&out), "see\nM/a b\nand\nM/a b\nc\n");
}

static void test_signals_and_sizes(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGKILL};
    for (size_t i = 0; i < 4; i++) {
        td_text_next(&out);
        td_text_signal(&out, signals[i]);
    }
    static const uint64_t sizes[] = {0, 1, 1023, 1024};
    for (size_t i = 0; i < 4; i++) {
        td_text_next(&out);
        td_text_size(&out, sizes[i]);
    }
    assert_string_equal(td_buf_text(&out),
                        "Ctrl-C. told to end. the terminal went away. signal 9. 0 bytes. 1 byte. 1023 "
                        "bytes. 1.0K");
}

static void test_fit_and_iso(void **state) {
    (void)state;
    char iso[TD_ISO_MAX];
    assert_int_equal(td_text_fit("abc", 3, 3), 3);
    assert_int_equal(td_text_fit("abc", 3, 2), 2);
    assert_int_equal(td_text_fit("a\xc3\xa9"
                                 "c",
                                 4, 2),
                     3);
    assert_int_equal(td_text_fit("a\xc3\xa9", 3, 2), 3);
    assert_int_equal(td_text_fit("abc", 3, 0), 0);
    assert_null(td_text_iso(iso, 0));
    assert_string_equal(td_text_iso(iso, 1409713204), "2014-09-03T03:00:04Z");
}

static void test_prose_twice_changes_nothing(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf once = {0}, twice = {0};
    td_text_prose(&once, "a\\b\n\x1b[2J\x9b\xc3\xa9\\\\\xe2\x80\xae\\");
    assert_string_equal(td_buf_text(&once), "a\\b\\x0a\\x1b[2J\\x9b\xc3\xa9\\\\\\xe2\\x80\\xae\\");
    td_text_prose(&twice, td_buf_text(&once));
    assert_string_equal(td_buf_text(&twice), td_buf_text(&once));
    td_buf_clear(&once);
    td_text_prose(&once, NULL);
    assert_string_equal(td_buf_text(&once), "");
}

static void test_sentences_are_joined(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    td_text_next(&out);
    td_buf_puts(&out, "One");
    td_text_next(&out);
    td_buf_puts(&out, "Two.");
    td_text_next(&out);
    td_text_count(&out, 1, "file", "files");
    td_text_next(&out);
    td_text_count(&out, 0, "file", "files");
    assert_string_equal(td_buf_text(&out), "One. Two. 1 file. 0 files");
}

static void test_paths_and_refusals(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    td_text_path(&out, "M", "a\nb");
    td_buf_putc(&out, ' ');
    td_text_path(&out, "M", "");
    td_buf_putc(&out, ' ');
    td_text_path(&out, "", "a\\b");
    td_buf_putc(&out, ' ');
    td_text_path(&out, "", "");
    assert_string_equal(td_buf_text(&out), "M/a\\x0ab M a\\\\b .");
    td_buf_clear(&out);
    td_text_refusal(&out, TD_SWAPPED, "Swap them.");
    td_text_next(&out);
    td_text_refusal(&out, TD_SWAPPED, "swapped: swap them.");
    td_text_next(&out);
    td_text_refusal(&out, TD_SWAPPED, "");
    assert_string_equal(td_buf_text(&out),
                        "swapped. Swap them. swapped: swap them. swapped: the disks are in each other's slots");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_wrap_keeps_commands_and_names_whole),
        cmocka_unit_test(test_signals_and_sizes),
        cmocka_unit_test(test_fit_and_iso),
        cmocka_unit_test(test_prose_twice_changes_nothing),
        cmocka_unit_test(test_sentences_are_joined),
        cmocka_unit_test(test_paths_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
