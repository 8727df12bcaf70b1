#include "twindock/base/escape.h"
#include "twindock/platform/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int make(void **state) {
    *state = td_digest_new(NULL);
    return *state ? 0 : -1;
}

static int unmake(void **state) {
    td_digest_free(*state);
    return 0;
}

static void expect_end(struct td_digest *digest, const char *hex) {
    uint8_t sum[TD_SHA256_LEN];
    char text[2 * TD_SHA256_LEN + 1];
    assert_int_equal(td_digest_end(digest, sum), 0);
    td_hex(text, sum, sizeof sum);
    assert_string_equal(text, hex);
}

/* The examples of FIPS 180-4's companion: nothing, one block, two blocks, a million bytes. */
static void known_answers(void **state) {
    struct td_digest *digest = *state;
    assert_int_equal(td_digest_start(digest), 0);
    expect_end(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    assert_int_equal(td_digest_start(digest), 0);
    assert_int_equal(td_digest_add(digest, "abc", 3), 0);
    expect_end(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_int_equal(td_digest_start(digest), 0);
    for (size_t i = 0; i < sizeof two - 1; i++)
        assert_int_equal(td_digest_add(digest, two + i, 1), 0);
    assert_int_equal(td_digest_add(digest, NULL, 0), 0);
    expect_end(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

    assert_int_equal(td_digest_start(digest), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(td_digest_add(digest, "aaaaaaaaaa", 10), 0);
    expect_end(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void start_forgets_what_was_added(void **state) {
    struct td_digest *digest = *state;
    assert_int_equal(td_digest_start(digest), 0);
    assert_int_equal(td_digest_add(digest, "half a file", 11), 0);
    assert_int_equal(td_digest_start(digest), 0);
    assert_int_equal(td_digest_add(digest, "abc", 3), 0);
    expect_end(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A hole hashes as the zeros that a reader would see, whatever its length is. */
static void zeros_are_zeros(void **state) {
    struct td_digest *digest = *state;
    static const size_t lengths[] = {0, 1, 4096, 16383, 16384, 16385, 1 << 20, (1 << 20) + 7};
    uint8_t *plain = calloc(1, (1 << 20) + 7);
    assert_non_null(plain);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t expected[TD_SHA256_LEN], got[TD_SHA256_LEN];
        assert_int_equal(td_digest_start(digest), 0);
        assert_int_equal(td_digest_add(digest, "x", 1), 0);
        assert_int_equal(td_digest_add(digest, plain, lengths[i]), 0);
        assert_int_equal(td_digest_end(digest, expected), 0);
        assert_int_equal(td_digest_start(digest), 0);
        assert_int_equal(td_digest_add(digest, "x", 1), 0);
        assert_int_equal(td_digest_add_zeros(digest, lengths[i]), 0);
        assert_int_equal(td_digest_end(digest, got), 0);
        assert_memory_equal(got, expected, sizeof got);
    }
    free(plain);
}

static void two_contexts_do_not_mix(void **state) {
    struct td_digest *digest = *state;
    struct td_digest *other = td_digest_new(NULL);
    assert_non_null(other);
    assert_int_equal(td_digest_start(digest), 0);
    assert_int_equal(td_digest_start(other), 0);
    assert_int_equal(td_digest_add(digest, "ab", 2), 0);
    assert_int_equal(td_digest_add(other, "zz", 2), 0);
    assert_int_equal(td_digest_add(digest, "c", 1), 0);
    expect_end(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    td_digest_free(other);
    td_digest_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_answers, make, unmake),
        cmocka_unit_test_setup_teardown(start_forgets_what_was_added, make, unmake),
        cmocka_unit_test_setup_teardown(zeros_are_zeros, make, unmake),
        cmocka_unit_test_setup_teardown(two_contexts_do_not_mix, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
