/* base/escape.h: no byte of a file name reaches a terminal or JSON raw. */
#include "twindock/base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void utf8(void **state) {
    (void)state;
    static const char *const good[] = {
        "",
        "plain",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "caf\xc3\xa9 \xe6\x97\xa5",
    };
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xc3",             /* cut off */
        "\xe2\x82",         /* cut off */
        "\xc3(",            /* no continuation */
        "\xc0\xaf",         /* overlong */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xed\xbf\xbf",     /* surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "ok\xff",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(td_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(td_utf8_valid(bad[i], strlen(bad[i])));
    assert_true(td_utf8_valid("a\0b", 3));
    assert_false(td_utf8_valid("\xc3\xa9", 1)); /* reads no further than it was told */
}

static void for_people(void **state) {
    (void)state;
    static const struct {
        const char *raw, *escaped;
    } rows[] = {
        {"plain name.txt", "plain name.txt"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"a\nb\tc", "a\\x0ab\\x09c"},
        {"\x1b[31mred\x7f", "\\x1b[31mred\\x7f"},
        {"\xc2\x9b"
         "2J\xc2\x80\xc2\x9f",
         "\\xc2\\x9b2J\\xc2\\x80\\xc2\\x9f"},
        {"\xc2\xa0", "\xc2\xa0"},
        {"back\\slash", "back\\\\slash"},
        {"\\x41", "\\\\x41"},
        {"\xe2\x80\xae"
         "gpj.exe",
         "\\xe2\\x80\\xaegpj.exe"},
        {"\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xaa", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f\\xe2\\x80\\xaa"},
        {"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
        {"\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},
        {"\xd8\x9c", "\\xd8\\x9c"},
        {"\xe2\x80\x8d\xe2\x80\xaf", "\xe2\x80\x8d\xe2\x80\xaf"}, /* a joiner and a narrow blank do no harm */
        {"latin\xe9", "latin\\xe9"},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xc3(\xa9", "\\xc3(\\xa9"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TD_AUTOBUF struct td_buf out = {0};
        td_escape_text(&out, rows[i].raw);
        assert_string_equal(td_buf_text(&out), rows[i].escaped);
    }
    TD_AUTOBUF struct td_buf out = {0};
    td_escape(&out, "a\0b", 3);
    assert_string_equal(out.data, "a\\x00b");
    td_buf_clear(&out);
    td_escape(&out, "\xc3\xa9", 1); /* a character that is cut off by the length */
    assert_string_equal(out.data, "\\xc3");
}

/* Whatever goes in, one line of printable UTF-8 comes out, and nothing is lost. */
static void for_people_all_pairs(void **state) {
    (void)state;
    for (unsigned high = 0; high < 256; high++) {
        for (unsigned low = 0; low < 256; low++) {
            const uint8_t raw[] = {(uint8_t)high, (uint8_t)low};
            TD_AUTOBUF struct td_buf out = {0};
            td_escape(&out, raw, sizeof(raw));
            assert_true(td_utf8_valid(out.data, out.len));
            for (size_t i = 0; i < out.len; i++)
                assert_true((uint8_t)out.data[i] >= 0x20 && out.data[i] != 0x7f);
            assert_true(out.len >= sizeof(raw));
        }
    }
}

static void for_json(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    assert_false(td_escape_json(&out, "caf\xc3\xa9\n\\", 7));
    assert_string_equal(out.data, "caf\xc3\xa9\n\\");
    td_buf_clear(&out);
    assert_true(td_escape_json(&out, "caf\xe9\xff!", 6));
    assert_string_equal(out.data, "caf\\xe9\\xff!");
    td_buf_clear(&out);
    assert_false(td_escape_json(&out, "", 0));
    assert_int_equal(out.len, 0);
}

/* The vectors of RFC 4648, section 10, and the bytes that use the last two letters. */
static void base64(void **state) {
    (void)state;
    static const struct {
        const char *raw, *encoded;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
        {"\xff", "/w=="},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TD_AUTOBUF struct td_buf out = {0};
        td_base64(&out, rows[i].raw, strlen(rows[i].raw));
        assert_string_equal(td_buf_text(&out), rows[i].encoded);
    }
}

static void hex(void **state) {
    (void)state;
    uint8_t all[256], back[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    td_hex(text, all, sizeof(all));
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102030405060708090a0b", 24);
    assert_string_equal(text + 508, "feff");
    assert_true(td_unhex(back, sizeof(back), text));
    assert_memory_equal(back, all, sizeof(all));

    uint8_t two[2];
    assert_true(td_unhex(two, 2, "AbCd"));
    assert_int_equal(two[0] << 8 | two[1], 0xabcd);
    assert_false(td_unhex(two, 2, "abc"));
    assert_false(td_unhex(two, 2, "ab"));
    assert_false(td_unhex(two, 2, ""));
    assert_false(td_unhex(two, 2, "abcde"));
    assert_false(td_unhex(two, 2, "abcg"));
    assert_false(td_unhex(two, 2, "0x12"));
    td_hex(text, all, 0);
    assert_string_equal(text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8),     cmocka_unit_test(for_people), cmocka_unit_test(for_people_all_pairs),
        cmocka_unit_test(for_json), cmocka_unit_test(base64),     cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
