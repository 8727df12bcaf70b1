#include "twindock/platform/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void prints_in_order(void **state) {
    (void)state;
    struct td_json *root = td_json_object();
    td_json_text(root, "zebra", "a \"word\"\n");
    td_json_int(root, "big", INT64_MAX);
    td_json_int(root, "small", INT64_MIN);
    td_json_bool(root, "yes", true);
    td_json_bool(root, "no", false);
    td_json_text(root, "none", NULL);
    td_json_null(root, "nil");
    struct td_json *list = td_json_set(root, "list", td_json_array());
    struct td_json *item = td_json_append(list, td_json_object());
    td_json_int(item, "n", 1);
    td_json_append(list, td_json_object());
    td_json_set(root, "empty", td_json_array());
    td_json_text(root, "alpha", "\xc3\xa4");
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(root, &out);
    assert_string_equal(td_buf_text(&out), "{\n"
                                           "  \"zebra\": \"a \\\"word\\\"\\n\",\n"
                                           "  \"big\": 9223372036854775807,\n"
                                           "  \"small\": -9223372036854775808,\n"
                                           "  \"yes\": true,\n"
                                           "  \"no\": false,\n"
                                           "  \"none\": null,\n"
                                           "  \"nil\": null,\n"
                                           "  \"list\": [\n"
                                           "    {\n"
                                           "      \"n\": 1\n"
                                           "    },\n"
                                           "    {}\n"
                                           "  ],\n"
                                           "  \"empty\": [],\n"
                                           "  \"alpha\": \"\xc3\xa4\"\n"
                                           "}\n");
    td_json_free(root);
    td_json_free(NULL);
}

static void setting_again_replaces(void **state) {
    (void)state;
    struct td_json *root = td_json_object();
    td_json_int(root, "a", 1);
    td_json_set(root, "a", td_json_array());
    td_json_text(root, "a", "last");
    TD_AUTOBUF struct td_buf out = {0};
    td_json_print(root, &out);
    assert_string_equal(td_buf_text(&out), "{\n  \"a\": \"last\"\n}\n");
    td_json_free(root);
}

static void file_names_of_any_bytes(void **state) {
    (void)state;
    struct td_json *root = td_json_object();
    td_json_path(root, "path", "caf\xc3\xa9");
    td_json_path(root, "odd",
                 "a\xff"
                 "b");
    td_json_path(root, "absent", NULL);
    td_json_text(root, "text", "\xfe");
    const char *text = NULL;
    assert_true(td_json_get_text(root, "path", &text));
    assert_string_equal(text, "caf\xc3\xa9");
    assert_false(td_json_get_text(root, "path_b64", &text));
    assert_true(td_json_get_text(root, "odd", &text));
    assert_string_equal(text, "a\\xffb");
    assert_true(td_json_get_text(root, "odd_b64", &text));
    assert_string_equal(text, "Yf9i");
    assert_false(td_json_get_text(root, "absent", &text));
    assert_true(td_json_get_text(root, "text", &text));
    assert_string_equal(text, "\\xfe");
    assert_false(td_json_get_text(root, "text_b64", &text));
    td_json_free(root);
}

static void looks_up_by_type(void **state) {
    (void)state;
    static const char text[] = "{\"t\": \"x\", \"i\": -5, \"b\": true, \"n\": null, \"r\": 1.5, \"s\": \"5\"}";
    struct td_json *root = td_json_parse(text, strlen(text), NULL);
    assert_non_null(root);
    const char *word = "unset";
    int64_t number = 77;
    bool flag = false;
    assert_true(td_json_get_text(root, "t", &word));
    assert_string_equal(word, "x");
    assert_true(td_json_get_int(root, "i", &number));
    assert_int_equal(number, -5);
    assert_true(td_json_get_bool(root, "b", &flag));
    assert_true(flag);

    word = "unset";
    number = 77;
    assert_false(td_json_get_text(root, "i", &word));
    assert_false(td_json_get_text(root, "n", &word));
    assert_false(td_json_get_text(root, "none", &word));
    assert_false(td_json_get_int(root, "s", &number));
    assert_false(td_json_get_int(root, "r", &number));
    assert_false(td_json_get_int(root, "b", &number));
    assert_false(td_json_get_bool(root, "i", &flag));
    assert_false(td_json_get_bool(root, "n", &flag));
    assert_string_equal(word, "unset");
    assert_int_equal(number, 77);

    struct td_json *list = td_json_parse("[1]", 3, NULL);
    assert_false(td_json_get_int(list, "i", &number));
    td_json_free(list);
    td_json_free(root);
}

static void refuses(const char *text, size_t len, const char *why) {
    struct td_error err = {0};
    struct td_json *json = td_json_parse(text, len, &err);
    if (json)
        fail_msg("accepted: %s", text);
    assert_int_equal(err.code, EINVAL);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void refuses_what_is_no_document(void **state) {
    (void)state;
    refuses("", 0, "line 1");
    refuses("{\"a\": 1, \"a\": 2}", 16, "duplicate");
    refuses("{} x", 4, "line 1, column 4");
    refuses("{}\n{}", 5, "line 2");
    refuses("{\"a\":", 5, "line 1");
    refuses("\"text\"", 6, "line 1");
    refuses("{\"a\": \"\xff\"}", 10, "line 1");
    refuses("{\"a\": \"\\u0000\"}", 15, "line 1");
    refuses("{\"a\": 99999999999999999999}", 27, "big");
    refuses("{}\0", 3, "line 1");
}

static void refuses_depth(void **state) {
    (void)state;
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct td_json *json = td_json_parse(text, 128, NULL);
    assert_non_null(json);
    td_json_free(json);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    refuses(text, 130, "deeper than 64 at byte 64");

    /* Brackets inside of texts are no depth, nor is an escaped quote the end of a text. */
    char quoted[300] = "{\"a\": \"\\\"";
    memset(quoted + strlen(quoted), '[', 200);
    strncat(quoted, "\", \"b\": [[]]}", sizeof quoted - strlen(quoted) - 1);
    json = td_json_parse(quoted, strlen(quoted), NULL);
    assert_non_null(json);
    td_json_free(json);
}

static void reads_what_it_prints(void **state) {
    (void)state;
    struct td_json *root = td_json_object();
    td_json_path(root, "path", "\x01\n\xff\\");
    td_json_int(root, "n", INT64_MIN);
    TD_AUTOBUF struct td_buf once = {0}, twice = {0};
    td_json_print(root, &once);
    struct td_json *read = td_json_parse(once.data, once.len, NULL);
    assert_non_null(read);
    td_json_print(read, &twice);
    assert_string_equal(td_buf_text(&once), td_buf_text(&twice));
    td_json_free(root);
    td_json_free(read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_in_order),
        cmocka_unit_test(setting_again_replaces),
        cmocka_unit_test(file_names_of_any_bytes),
        cmocka_unit_test(looks_up_by_type),
        cmocka_unit_test(refuses_what_is_no_document),
        cmocka_unit_test(refuses_depth),
        cmocka_unit_test(reads_what_it_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
