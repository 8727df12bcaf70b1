/* The parsers of foreign bytes over tests/fuzz/corpus: each file as it is, cut short at every place, and with each of
 * its first bytes changed. `make fuzz` looks for more. Run from the root of the sources. */
#include "fuzz_targets.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus"
#define LARGEST 4096
#define CHANGED 640 /* bytes, from the start: all of a drive's reply, and of a superblock what counts */

static size_t read_file(const char *target, const char *name, uint8_t data[LARGEST]) {
    char path[512];
    snprintf(path, sizeof path, CORPUS "/%s/%s", target, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, LARGEST, file);
    fclose(file);
    return size;
}

static void replay(const struct fuzz_target *target, uint8_t *data, size_t size) {
    static const uint8_t changes[] = {0x01, 0x20, 0x80, 0xff};
    target->run(data, size);
    for (size_t cut = 0; cut < size; cut++)
        target->run(data, cut);
    for (size_t at = 0; at < size && at < CHANGED; at++) {
        for (size_t i = 0; i < sizeof changes; i++) {
            data[at] ^= changes[i];
            target->run(data, size);
            data[at] ^= changes[i];
        }
    }
}

static void test_corpora(void **state) {
    (void)state;
    static uint8_t data[LARGEST];
    for (const struct fuzz_target *target = fuzz_targets; target->name != NULL; target++) {
        char path[512];
        size_t files = 0;
        snprintf(path, sizeof path, CORPUS "/%s", target->name);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
            if (entry->d_name[0] == '.')
                continue;
            replay(target, data, read_file(target->name, entry->d_name, data));
            files++;
        }
        closedir(dir);
        assert_true(files > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpora)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
