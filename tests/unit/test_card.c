/* dock/card.h: a card says what it said, and whatever else lies in its place is no card. */
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/dock/card.h"

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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct td_card sample = {
    .pair = "18e61a61-6502-6510-8086-0065d1917f97",
    .collection = "M",
    .member = 'B',
    .token = "0123456789abcdef0123456789abcdef",
    .layout = TD_LAYOUT_MIRRORED,
    .generation = 42,
    .last_run = 17,
    .host = "server",
};

static char scratch[256];
static int root = -1;

static int setup(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-card-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    td_sys = td_libc;
    unlinkat(root, ".twindock/card.json", 0);
    unlinkat(root, ".twindock/card.json", AT_REMOVEDIR);
    unlinkat(root, ".twindock", AT_REMOVEDIR);
    unlinkat(root, ".twindock", 0);
    close(root);
    return rmdir(scratch);
}

static void assert_same(const struct td_card *a, const struct td_card *b) {
    assert_string_equal(a->pair, b->pair);
    assert_string_equal(a->collection, b->collection);
    assert_int_equal(a->member, b->member);
    assert_string_equal(a->token, b->token);
    assert_int_equal(a->layout, b->layout);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->last_run, b->last_run);
    assert_string_equal(a->host, b->host);
}

static void test_printed_and_parsed(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0};
    struct td_card card;
    td_card_print(&sample, &text);
    assert_int_equal(td_card_parse(text.data, text.len, &card, NULL), 0);
    assert_same(&card, &sample);
    assert_non_null(strstr(text.data, "\"layout\": \"mirrored\""));
}

#define PAIR "\"pair\":\"18e61a61-6502-6510-8086-0065d1917f97\""
#define COLLECTION "\"collection\":\"M\""
#define MEMBER "\"member\":\"A\""
#define TOKEN "\"token\":\"0123456789abcdef0123456789abcdef\""
#define LAYOUT "\"layout\":\"twins\""
#define GENERATION "\"generation\":3"
#define RUN "\"last_run\":0"
#define HOST "\"host\":\"h\""

static int parse(const char *text) {
    struct td_error err = {0};
    struct td_card card;
    memset(&card, 0x55, sizeof(card));
    int rc = td_card_parse(text, strlen(text), &card, &err);
    if (rc < 0) {
        const struct td_card nothing = {0};
        assert_memory_equal(&card, &nothing, sizeof(card));
        assert_int_equal(err.code, EINVAL);
        assert_true(err.text[0] != '\0');
    }
    return rc;
}

static void test_accepted(void **state) {
    (void)state;
    assert_int_equal(parse("{" PAIR "," COLLECTION "," MEMBER "," TOKEN "," LAYOUT "," GENERATION "," RUN "," HOST "}"),
                     0);
    /* A later version may say more. */
    assert_int_equal(parse("{\"x\":[1,{}]," HOST "," RUN "," GENERATION "," LAYOUT "," TOKEN "," MEMBER "," COLLECTION
                           "," PAIR ",\"y\":null}"),
                     0);
    assert_int_equal(parse("{" PAIR "," COLLECTION "," MEMBER "," TOKEN "," LAYOUT
                           ",\"generation\":1000000000000000," RUN ",\"host\":\"\"}"),
                     0);
}

static void test_every_field_is_needed(void **state) {
    (void)state;
    static const char *const fields[] = {PAIR, COLLECTION, MEMBER, TOKEN, LAYOUT, GENERATION, RUN, HOST};
    for (size_t without = 0; without < COUNT(fields); without++) {
        TD_AUTOBUF struct td_buf text = {0};
        td_buf_puts(&text, "{\"z\":0");
        for (size_t i = 0; i < COUNT(fields); i++)
            td_buf_printf(&text, "%s%s", i == without ? "" : ",", i == without ? "" : fields[i]);
        td_buf_puts(&text, "}");
        assert_int_equal(parse(text.data), -EINVAL);
    }
}

static void test_every_field_has_a_shape(void **state) {
    (void)state;
    /* Each takes the place of the field of the same name in a card that is otherwise right. */
    static const char *const wrong[] = {
        "\"pair\":\"18e61a61-6502-6510-8086-0065d1917f9\"",
        "\"pair\":\"18e61a61-6502-6510-8086-0065d1917f978\"",
        "\"pair\":\"18e61a61-6502-6510-8086-0065d1917f9g\"",
        "\"pair\":\"18e61a6106502-6510-8086-0065d1917f97\"",
        "\"pair\":7",
        "\"collection\":\"\"",
        "\"collection\":\"../etc\"",
        "\"collection\":\"a b\"",
        "\"collection\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "\"collection\":null",
        "\"member\":\"C\"",
        "\"member\":\"a\"",
        "\"member\":\"\"",
        "\"member\":\"AB\"",
        "\"member\":65",
        "\"token\":\"0123456789abcdef0123456789abcde\"",
        "\"token\":\"0123456789abcdef0123456789abcdef0\"",
        "\"token\":\"0123456789abcdef0123456789abcdeg\"",
        "\"token\":\"\"",
        "\"layout\":\"triplets\"",
        "\"layout\":0",
        "\"generation\":-1",
        "\"generation\":1000000000000001",
        "\"generation\":99999999999999999999999",
        "\"generation\":1.5",
        "\"generation\":\"3\"",
        "\"generation\":true",
        "\"last_run\":-1",
        "\"last_run\":null",
        "\"host\":1",
        "\"host\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
    };
    static const char *const right[] = {PAIR, COLLECTION, MEMBER, TOKEN, LAYOUT, GENERATION, RUN, HOST};
    for (size_t w = 0; w < COUNT(wrong); w++) {
        TD_AUTOBUF struct td_buf text = {0};
        size_t name = (size_t)(strchr(wrong[w], ':') - wrong[w]) + 1;
        bool replaced = false;
        td_buf_puts(&text, "{");
        for (size_t i = 0; i < COUNT(right); i++) {
            bool same = strncmp(wrong[w], right[i], name) == 0;
            replaced = replaced || same;
            td_buf_printf(&text, "%s%s", i > 0 ? "," : "", same ? wrong[w] : right[i]);
        }
        td_buf_puts(&text, "}");
        assert_true(replaced);
        if (parse(text.data) != -EINVAL)
            fail_msg("taken for a card: %s", text.data);
    }
}

static void test_no_json(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "\"A\"",
        "{}",
        "{" PAIR "," PAIR "," COLLECTION "," MEMBER "," TOKEN "," LAYOUT "," GENERATION "," RUN "," HOST "}",
        "{" PAIR "," COLLECTION "," MEMBER "," TOKEN "," LAYOUT "," GENERATION "," RUN "," HOST "} {}",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(parse(texts[i]), -EINVAL);
}

/* Every prefix, and every byte made another one: never a crash, and a card only where every field still has a shape. */
static void test_damaged(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0};
    struct td_card card;
    td_card_print(&sample, &text);
    for (size_t len = 0; len + 2 < text.len; len++) {
        char *cut = malloc(len + 1); /* of exactly this size: reading on would be seen */
        assert_non_null(cut);
        memcpy(cut, text.data, len);
        assert_int_equal(td_card_parse(cut, len, &card, NULL), -EINVAL);
        free(cut);
    }
    for (size_t i = 0; i < text.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
            if (td_card_parse(text.data, text.len, &card, NULL) == 0) {
                assert_true(card.member == 'A' || card.member == 'B');
                assert_int_equal(strlen(card.token), TD_TOKEN_MAX - 1);
                assert_true(card.generation >= 0);
            }
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
        }
    }
}

static void test_written_and_read(void **state) {
    (void)state;
    struct td_card card;
    struct td_error err = {0};
    mode_t old = umask(077);
    assert_int_equal(td_card_write(root, &sample, &err), 0);
    umask(old);
    assert_int_equal(td_card_read(root, &card, &err), 0);
    assert_same(&card, &sample);
    struct stat st;
    assert_int_equal(fstatat(root, ".twindock", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_int_equal(fstatat(root, ".twindock/card.json", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644);

    struct td_card next = sample;
    next.generation++;
    assert_int_equal(td_card_write(root, &next, &err), 0);
    assert_int_equal(td_card_read(root, &card, &err), 0);
    assert_same(&card, &next);
}

static int failing_rename(int olddir, const char *oldname, int newdir, const char *newname, unsigned flags) {
    (void)olddir, (void)oldname, (void)newdir, (void)newname, (void)flags;
    errno = EIO;
    return -1;
}

static int failing_fsync(int fd) {
    (void)fd;
    errno = EIO;
    return -1;
}

static void test_a_failed_write_leaves_the_old_card(void **state) {
    (void)state;
    struct td_card card, next = sample;
    struct td_error err = {0};
    next.generation++;
    assert_int_equal(td_card_write(root, &sample, &err), 0);
    td_sys.renameat2 = failing_rename;
    assert_int_equal(td_card_write(root, &next, &err), -EIO);
    td_sys = td_libc;
    td_sys.fsync = failing_fsync;
    assert_int_equal(td_card_write(root, &next, &err), -EIO);
    td_sys = td_libc;
    assert_int_equal(td_card_read(root, &card, &err), 0);
    assert_same(&card, &sample);
}

static void test_what_is_no_card_is_not_written(void **state) {
    (void)state;
    struct td_card card = sample;
    struct td_error err = {0};
    card.token[5] = '\0';
    assert_int_equal(td_card_write(root, &card, &err), -EINVAL);
    card = sample;
    card.member = 'C';
    assert_int_equal(td_card_write(root, &card, &err), -EINVAL);
    assert_int_equal(faccessat(root, ".twindock", F_OK, 0), -1);
}

static void test_nothing_there(void **state) {
    (void)state;
    struct td_card card;
    struct td_error err = {0};
    assert_int_equal(td_card_read(root, &card, &err), -ENOENT);
    assert_int_equal(mkdirat(root, ".twindock", 0755), 0);
    assert_int_equal(td_card_read(root, &card, &err), -ENOENT);
    assert_int_equal(err.code, 0);
}

static void test_something_else_in_its_place(void **state) {
    (void)state;
    struct td_card card;
    struct td_error err = {0};
    assert_int_equal(symlinkat("/etc", root, ".twindock"), 0);
    assert_int_equal(td_card_read(root, &card, &err), -EINVAL);
    assert_true(td_card_write(root, &sample, &err) < 0);
    assert_int_equal(unlinkat(root, ".twindock", 0), 0);

    assert_int_equal(mknodat(root, ".twindock", S_IFREG | 0644, 0), 0);
    assert_int_equal(td_card_read(root, &card, &err), -EINVAL);
    assert_int_equal(unlinkat(root, ".twindock", 0), 0);

    assert_int_equal(mkdirat(root, ".twindock", 0755), 0);
    assert_int_equal(mkfifoat(root, ".twindock/card.json", 0644), 0);
    assert_int_equal(td_card_read(root, &card, &err), -EINVAL); /* and does not hang */
    assert_int_equal(unlinkat(root, ".twindock/card.json", 0), 0);

    assert_int_equal(symlinkat("/etc/hostname", root, ".twindock/card.json"), 0);
    assert_int_equal(td_card_read(root, &card, &err), -EINVAL);
    assert_int_equal(unlinkat(root, ".twindock/card.json", 0), 0);

    assert_int_equal(mkdirat(root, ".twindock/card.json", 0755), 0);
    assert_int_equal(td_card_read(root, &card, &err), -EINVAL);
}

static void test_too_long(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0};
    struct td_card card;
    td_card_print(&sample, &text);
    while (text.len <= TD_CARD_MAX)
        td_buf_puts(&text, "                                                                ");
    assert_int_equal(td_card_parse(text.data, text.len, &card, NULL), -EINVAL);
    assert_int_equal(mkdirat(root, ".twindock", 0755), 0);
    int dir = openat(root, ".twindock", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(td_replace_small(dir, TD_CARD_NAME, text.data, text.len, NULL), 0);
    close(dir);
    assert_int_equal(td_card_read(root, &card, NULL), -EINVAL);
}

static void test_tokens_differ(void **state) {
    (void)state;
    char a[TD_TOKEN_MAX], b[TD_TOKEN_MAX];
    assert_int_equal(td_card_token(a, NULL), 0);
    assert_int_equal(td_card_token(b, NULL), 0);
    assert_int_equal(strspn(a, "0123456789abcdef"), TD_TOKEN_MAX - 1);
    assert_string_not_equal(a, b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printed_and_parsed),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_every_field_is_needed),
        cmocka_unit_test(test_every_field_has_a_shape),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test_setup_teardown(test_written_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_write_leaves_the_old_card, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_card_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_something_else_in_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test(test_tokens_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
