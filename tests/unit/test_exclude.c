/* sync/exclude.h: gitignore(5), example by example. */
#include "twindock/sync/exclude.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *patterns[4]; /* NULL-terminated unless full */
    const char *path;
    bool directory;
    bool excluded;
};

static const struct row rows[] = {
    /* without a slash: the name, at any depth */
    {{"*.tmp"}, "a.tmp", false, true},
    {{"*.tmp"}, "deep/down/a.tmp", false, true},
    {{"*.tmp"}, "a.tmp.txt", false, false},
    {{"*.tmp"}, ".tmp", false, true},
    {{"*"}, ".hidden", false, true},
    {{"foo"}, "foo", true, true},
    {{"foo"}, "x/foo", false, true},
    {{"foo"}, "foo/x", false, false}, /* not entered by the walk, but no match of its own */
    {{"fo?"}, "foo", false, true},
    {{"[a-c]x"}, "bx", false, true},
    {{"[!a-c]x"}, "bx", false, false},
    {{"**"}, "any/thing", false, true},
    {{"a**b"}, "x/azzb", false, true},
    /* '#' is a name's first letter, not a comment */
    {{"#*#"}, "#draft#", false, true},
    {{"\\!x"}, "!x", false, true},
    {{"\\*"}, "*", false, true},
    {{"\\*"}, "a", false, false},
    /* a slash at the end: directories */
    {{"cache/"}, "cache", true, true},
    {{"cache/"}, "cache", false, false},
    {{"cache/"}, "a/b/cache", true, true},
    /* a slash at the beginning or in the middle: tied to the root */
    {{"/top"}, "top", false, true},
    {{"/top"}, "a/top", false, false},
    {{"/top/"}, "top", true, true},
    {{"/top/"}, "top", false, false},
    {{"a/b"}, "a/b", false, true},
    {{"a/b"}, "x/a/b", false, false},
    {{"a/b/"}, "a/b", true, true},
    {{"a/*"}, "a/x", false, true},
    {{"a/*"}, "a/x/y", false, false},
    {{"a/*/c"}, "a/b/c", false, true},
    {{"a/*/c"}, "a/b/b/c", false, false},
    {{"a//b"}, "a/b", false, true},
    /* "**" */
    {{"**/foo"}, "foo", false, true},
    {{"**/foo"}, "a/b/foo", false, true},
    {{"**/foo/bar"}, "a/foo/bar", false, true},
    {{"**/foo/bar"}, "a/foo/x/bar", false, false},
    {{"abc/**"}, "abc", true, false},
    {{"abc/**"}, "abc/x", false, true},
    {{"abc/**"}, "abc/x/y", false, true},
    {{"a/**/b"}, "a/b", false, true},
    {{"a/**/b"}, "a/x/b", false, true},
    {{"a/**/b"}, "a/x/y/b", false, true},
    {{"a/**/b"}, "a/x/bb", false, false},
    {{"a/**/b"}, "z/a/x/b", false, false},
    {{"a/**/b/c"}, "a/b/b/c", false, true},
    {{"a/**/b/c"}, "a/b/x/b/b/c", false, true},
    {{"**/a/**/b"}, "x/a/y/a/z/b", false, true},
    {{"**/x/**"}, "a/x", true, false},
    {{"**/x/**"}, "a/x/b", false, true},
    /* the last match wins */
    {{"*.log", "!keep.log"}, "keep.log", false, false},
    {{"*.log", "!keep.log"}, "x/other.log", false, true},
    {{"!keep.log", "*.log"}, "keep.log", false, true},
    {{"*.log", "!*.log", "a.log"}, "a.log", false, true},
    {{"/*", "!/foo", "/foo/*", "!/foo/bar"}, "foo/bar", true, false},
    {{"/*", "!/foo", "/foo/*", "!/foo/bar"}, "foo/other", true, true},
    {{"/*", "!/foo", "/foo/*", "!/foo/bar"}, "foo", true, false},
    /* bytes */
    {{"*.tmp"}, "\xff\xfe.tmp", false, true},
    {{"a?b"}, "a\nb", false, true},
    {{"*"}, "", true, false}, /* never the root */
};

static bool ask(const struct row *row) {
    struct td_exclude *exclude;
    char *patterns[4];
    size_t count = 0;
    while (count < 4 && row->patterns[count]) {
        patterns[count] = strdup(row->patterns[count]);
        count++;
    }
    assert_int_equal(td_exclude_make(patterns, count, &exclude, NULL), 0);
    bool excluded = td_excluded(exclude, row->path, row->directory);
    td_exclude_free(exclude);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    return excluded;
}

static void every_row(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (ask(&rows[i]) != rows[i].excluded)
            fail_msg("row %zu: %s against %s: expected %d", i, rows[i].patterns[0], rows[i].path, rows[i].excluded);
}

static void long_names_match_nothing(void **state) {
    (void)state;
    char name[400];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct row row = {{"*"}, name, false, false};
    assert_false(ask(&row));
    name[255] = '\0';
    assert_true(ask(&row));
}

static void refuses_what_names_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {"", "/", "!", "!/", "//"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct td_exclude *exclude;
        struct td_error err = {0};
        char *fine = strdup("fine"), *pattern = strdup(bad[i]);
        char *patterns[] = {fine, pattern};
        assert_int_equal(td_exclude_make(patterns, 2, &exclude, &err), -EINVAL);
        assert_null(exclude);
        assert_non_null(strstr(err.text, bad[i]));
        free(fine);
        free(pattern);
    }
}

static void none_excludes_nothing(void **state) {
    (void)state;
    struct td_exclude *exclude;
    assert_false(td_excluded(NULL, "x", false));
    assert_int_equal(td_exclude_make(NULL, 0, &exclude, NULL), 0);
    assert_false(td_excluded(exclude, "x", false));
    td_exclude_free(exclude);
    td_exclude_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(long_names_match_nothing),
        cmocka_unit_test(refuses_what_names_nothing),
        cmocka_unit_test(none_excludes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
