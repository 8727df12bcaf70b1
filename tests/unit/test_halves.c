/* run/halves.h: the words about two halves that were compared. */
#include "twindock/run/halves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char letters[2] = {'A', 'B'};

static struct td_halves *make_halves(const struct td_half_file *files, size_t count) {
    struct td_halves *halves = calloc(1, sizeof *halves);
    assert_non_null(halves);
    halves->compared = 1 << 20;
    halves->different = 4096;
    halves->place[0].start = 8192;
    halves->places = 1;
    halves->lost = -1;
    memcpy(halves->file, files, count * sizeof *files);
    halves->files = count;
    return halves;
}

static void assert_named(const struct td_half_file *files, size_t count, const char *expected) {
    struct td_halves *halves = make_halves(files, count);
    TD_AUTOBUF struct td_buf out = {0};
    td_halves_sentence(halves, "M", letters, &out);
    if (strstr(td_buf_text(&out), expected) == NULL)
        fail_msg("not there: %s\nin: %s", expected, td_buf_text(&out));
    free(halves);
}

static char root[] = ".", card[] = ".twindock/card.json", store[] = ".twindock", near[] = ".twindocks/x",
            restore[] = "RESTORE.txt", song[] = "M/song";

/* The sentence names one file: that of which most can be said. */
static void test_the_file_to_name(void **state) {
    (void)state;
    const struct td_half_file judged[] = {
        {root, 1, {0}}, {card, 2, {0}}, {restore, 3, {0}}, {song, 4, {TD_HALF_UNKNOWN, TD_HALF_WRONG}}};
    assert_named(judged, 4, "; in 4 files and folders, among them M/song. ");
    assert_named(judged, 3, "; in 3 files and folders, among them RESTORE.txt. ");
    assert_named(judged, 2, "; in 2 files and folders, among them the disk's root. ");
    assert_named(&judged[1], 1, "; in 1 file or folder: .twindock/card.json. ");
    const struct td_half_file others[] = {{store, 1, {0}}, {near, 2, {0}}};
    assert_named(others, 2, "; in 2 files and folders, among them .twindocks/x. ");
}

static void test_the_list(void **state) {
    (void)state;
    const struct td_half_file files[] = {{root, 8192, {0}}, {song, 12288, {TD_HALF_RIGHT, TD_HALF_WRONG}}};
    struct td_halves *halves = make_halves(files, 2);
    TD_AUTOBUF struct td_buf out = {0};
    td_halves_list(halves, letters, &out);
    assert_string_equal(td_buf_text(&out), "differs: the disk's root, at byte 8192 of the disk\n"
                                           "differs: M/song, at byte 12288 of the disk, right on A, wrong on B\n");
    free(halves);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_to_name),
        cmocka_unit_test(test_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
