/* sync/plan.h: the brake. */
#include "twindock/sync/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DELETE 1000 /* the defaults: 10 % and 40 % */
#define CHANGE 4000
#define OFF 10000

struct row {
    struct td_brake brake;
    int max_delete, max_change;
    const char *says; /* NULL: go on */
};

/* base files, bytes; deleted files, bytes; changed files, bytes; emptied; scrambled */
static const struct row rows[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0}, DELETE, CHANGE, NULL},
    {{1000, 1000, 100, 100, 400, 400, 10, 0}, DELETE, CHANGE, NULL}, /* all just at their limits */
    {{1000, 1000, 101, 0, 0, 0, 0, 0}, DELETE, CHANGE, "delete 101 of 1000 files"},
    {{1000, 1000, 1, 101, 0, 0, 0, 0}, DELETE, CHANGE, "delete 1 of 1000 files"}, /* by bytes */
    {{1000, 1000, 0, 0, 401, 0, 0, 0}, DELETE, CHANGE, "change 401 of 1000 files"},
    {{1000, 1000, 0, 0, 1, 401, 0, 0}, DELETE, CHANGE, "change 1 of 1000 files"},
    {{1000, 1000, 0, 0, 11, 0, 11, 0}, DELETE, CHANGE, "turn 11 of 1000 files empty"},
    {{50, 1000, 0, 0, 1, 0, 1, 0}, DELETE, CHANGE, "turn 1 of 50 files empty"},
    /* the limits are the configuration's */
    {{1000, 1000, 101, 0, 0, 0, 0, 0}, 1010, CHANGE, NULL},
    {{1000, 1000, 1, 0, 0, 0, 0, 0}, 0, CHANGE, "limit is 0 %"},
    {{1000, 1000, 26, 0, 0, 0, 0, 0}, 250, CHANGE, "limit is 2.50 %"},
    {{1000, 1000, 101, 0, 0, 0, 0, 0}, DELETE, CHANGE, "limit is 10 %."},
    /* 100 % turns one off, and only that one */
    {{1000, 1000, 1000, 1000, 0, 0, 0, 0}, OFF, CHANGE, NULL},
    {{1000, 1000, 0, 0, 1000, 1000, 1000, 0}, DELETE, OFF, NULL},
    {{1000, 1000, 1000, 1000, 0, 0, 0, 0}, DELETE, OFF, "delete"},
    {{1000, 1000, 0, 0, 1000, 1000, 0, 0}, OFF, CHANGE, "change"},
    /* what looks encrypted is called so, whatever else it is; a few are somebody's own doing */
    {{500, 1000, 200, 200, 0, 0, 0, 200}, DELETE, CHANGE, "200 of 500 files have gone and come again"},
    {{500, 1000, 9, 9, 0, 0, 0, 9}, DELETE, CHANGE, NULL},
    {{2000, 9999, 15, 15, 0, 0, 0, 15}, DELETE, CHANGE, NULL},
    {{500, 1000, 200, 200, 0, 0, 0, 200}, OFF, OFF, NULL},
    /* small trees */
    {{19, 1000, 1, 900, 0, 0, 0, 0}, DELETE, CHANGE, "delete 1 of 19"},
    {{19, 1000, 11, 10, 0, 0, 0, 0}, DELETE, CHANGE, "delete 11 of 19"},
    {{19, 1000, 0, 0, 7, 400, 0, 0}, DELETE, CHANGE, NULL},
    {{19, 1000, 0, 0, 11, 10, 0, 0}, DELETE, CHANGE, "change 11 of 19"},
    {{19, 1000, 0, 0, 1, 1, 1, 0}, DELETE, CHANGE, "turn 1 of 19"},
    {{20, 1000, 3, 10, 0, 0, 0, 0}, DELETE, CHANGE, "delete 3 of 20"},
    {{20, 1000, 2, 10, 0, 0, 0, 0}, DELETE, CHANGE, NULL},
    {{5, 1000, 5, 1000, 0, 0, 0, 0}, DELETE, CHANGE, "delete 5 of 5"},
    {{5, 1000, 1, 10, 0, 0, 0, 0}, DELETE, CHANGE, "delete 1 of 5"},
    {{1, 10, 1, 10, 0, 0, 0, 0}, DELETE, CHANGE, "delete 1 of 1 file (10 of 10 bytes); "},
    {{20, 4096, 3, 87, 0, 0, 0, 0}, DELETE, CHANGE, "delete 3 of 20 files (87 bytes of 4.0K); "},
    {{20, 4096, 3, 1, 0, 0, 0, 0}, DELETE, CHANGE, "delete 3 of 20 files (1 byte of 4.0K); "},
    {{5, 1000, 2, 0, 3, 0, 3, 0}, DELETE, CHANGE, "delete 2 of 5"}, /* nothing would be left */
    {{5, 1000, 0, 0, 5, 0, 5, 0}, DELETE, CHANGE, "change 5 of 5 files"},
    {{5, 1000, 0, 0, 5, 1000, 0, 0}, DELETE, CHANGE, "change 5 of 5"},
    /* empty files only: bytes say nothing */
    {{100, 0, 10, 0, 40, 0, 0, 0}, DELETE, CHANGE, NULL},
    /* numbers that do not fit when multiplied */
    {{1000, UINT64_MAX, 1, UINT64_MAX / 10 - 1, 0, 0, 0, 0}, DELETE, CHANGE, NULL},
    {{1000, UINT64_MAX, 1, UINT64_MAX / 10 + 2, 0, 0, 0, 0}, DELETE, CHANGE, "delete"},
};

static void every_row(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TD_AUTOBUF struct td_buf why = {0};
        bool stop = td_brake_check(&rows[i].brake, rows[i].max_delete, rows[i].max_change, &why);
        if (stop != (rows[i].says != NULL))
            fail_msg("row %zu: %s", i, td_buf_text(&why));
        if (rows[i].says && !strstr(td_buf_text(&why), rows[i].says))
            fail_msg("row %zu: \"%s\" lacks \"%s\"", i, td_buf_text(&why), rows[i].says);
        if (!stop)
            assert_int_equal(why.len, 0);
    }
}

static void the_sentence(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf why = {0};
    struct td_brake brake = {.base_files = 200, .base_bytes = 4096, .deleted_files = 30, .deleted_bytes = 2048};
    assert_true(td_brake_check(&brake, DELETE, CHANGE, &why));
    assert_string_equal(td_buf_text(&why), "The run would delete 30 of 200 files (2.0K of 4.0K); the limit is 10 %.");
}

static void scrambled_content(void **state) {
    static unsigned char data[65536];
    uint64_t x = 88172645463325252ULL;
    (void)state;
    assert_false(td_brake_scrambled(data, sizeof data));
    for (size_t i = 0; i < sizeof data; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        data[i] = (unsigned char)x;
    }
    assert_true(td_brake_scrambled(data, sizeof data));
    assert_true(td_brake_scrambled(data, 4096));
    assert_false(td_brake_scrambled(data, 4095));
    for (size_t i = 0; i < sizeof data; i++) /* as letters */
        data[i] = (unsigned char)("ABCDEFGHIJKLMNOP"[data[i] % 16]);
    assert_false(td_brake_scrambled(data, sizeof data));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(the_sentence),
        cmocka_unit_test(scrambled_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
