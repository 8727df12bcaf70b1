/* Deltas: what is made patches back to the old version, by us and by rdiff, and damage is noticed. */
#include "twindock/base/io.h"
#include "twindock/platform/delta.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct files {
    int base, old, delta, out;
    char name[4][32];
};

static int make_file(char name[32]) {
    snprintf(name, 32, "/tmp/test_delta.XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    return fd;
}

static int set_up(void **state) {
    struct files *files = calloc(1, sizeof *files);
    assert_non_null(files);
    int *fds[] = {&files->base, &files->old, &files->delta, &files->out};
    for (int i = 0; i < 4; i++)
        *fds[i] = make_file(files->name[i]);
    *state = files;
    return 0;
}

static int tear_down(void **state) {
    struct files *files = *state;
    int fds[] = {files->base, files->old, files->delta, files->out};
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
        unlink(files->name[i]);
    }
    free(files);
    return 0;
}

static void noise(char *data, size_t len, unsigned seed) {
    uint64_t x = seed * 2654435761U + 88172645463325252ULL;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        data[i] = (char)x;
    }
}

static void store(int fd, const char *data, size_t len) {
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(td_pwrite_all(fd, data, len, 0), 0);
}

static void assert_holds(int fd, const char *data, size_t len) {
    struct stat st;
    char *got = malloc(len + 1);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, len);
    assert_int_equal(td_pread_all(fd, got, len, 0), len);
    assert_memory_equal(got, data, len);
    free(got);
}

/* Make, patch, and let rdiff patch. */
static uint64_t round_trip(struct files *files, const char *base, size_t base_len, const char *old, size_t old_len) {
    struct td_delta_sums made = {0}, patched = {0};
    struct td_error err = {0};
    store(files->base, base, base_len);
    store(files->old, old, old_len);
    assert_int_equal(ftruncate(files->delta, 0), 0);
    assert_int_equal(ftruncate(files->out, 0), 0);
    assert_int_equal(td_delta_make(files->base, files->old, files->delta, UINT64_MAX, NULL, &made, &err), 0);
    assert_int_equal(made.size, old_len);
    assert_int_equal(td_delta_patch(files->base, files->delta, files->out, NULL, &patched, &err), 0);
    assert_memory_equal(made.version, patched.version, TD_SHA256_LEN);
    assert_memory_equal(made.delta, patched.delta, TD_SHA256_LEN);
    assert_int_equal(made.delta_size, patched.delta_size);
    assert_holds(files->out, old, old_len);
    unlink(files->name[3]);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rdiff", "rdiff", "patch", files->name[0], files->name[2], files->name[3], (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(files->out);
    FILE *again = fopen(files->name[3], "r+");
    assert_non_null(again);
    files->out = dup(fileno(again));
    fclose(again);
    assert_holds(files->out, old, old_len);
    return made.delta_size;
}

static void test_what_changed_is_what_it_holds(void **state) {
    size_t len = 4000000;
    char *base = malloc(len + 5000), *old = malloc(len + 5000);
    noise(base, len, 1);
    memcpy(old, base, len);
    noise(old + 1000000, 4096, 2);
    assert_true(round_trip(*state, base, len, old, len) < 20000);
    memmove(old + 2000100, old + 2000000, len - 2000000); /* an insertion in the middle */
    assert_true(round_trip(*state, base, len, old, len + 100) < 30000);
    assert_true(round_trip(*state, base, len, old, 1234567) < 30000); /* and a truncation */
    memset(old + 100000, 0, 900000);                                  /* a hole */
    assert_true(round_trip(*state, base, len, old, len) < 930000);
    free(base);
    free(old);
}

static void test_empty_files_and_nothing_in_common(void **state) {
    char base[100000], old[100000];
    noise(base, sizeof base, 3);
    noise(old, sizeof old, 4);
    round_trip(*state, base, 0, old, 0);
    round_trip(*state, base, sizeof base, old, 0);
    round_trip(*state, base, 0, old, sizeof old);
    assert_true(round_trip(*state, base, sizeof base, old, sizeof old) >= sizeof old);
    assert_true(round_trip(*state, base, sizeof base, base, sizeof base) < 100);
    round_trip(*state, base, sizeof base, base, 1);
}

static void test_it_gives_up_when_it_would_grow_too_large(void **state) {
    struct files *files = *state;
    struct td_delta_sums sums;
    struct stat st;
    char base[100000], old[100000];
    noise(base, sizeof base, 5);
    noise(old, sizeof old, 6);
    store(files->base, base, sizeof base);
    store(files->old, old, sizeof old);
    assert_int_equal(td_delta_make(files->base, files->old, files->delta, 25000, NULL, &sums, NULL), 1);
    assert_int_equal(fstat(files->delta, &st), 0);
    assert_true(st.st_size <= 25000);
}

static void test_damage_is_noticed(void **state) {
    struct files *files = *state;
    struct td_delta_sums made, patched;
    char base[100000], old[100000];
    noise(base, sizeof base, 7);
    memcpy(old, base, sizeof old);
    noise(old + 5000, 10000, 8);
    round_trip(files, base, sizeof base, old, sizeof old);
    assert_int_equal(td_delta_make(files->base, files->old, files->delta, UINT64_MAX, NULL, &made, NULL), 0);
    assert_int_equal(td_pwrite_all(files->delta, "x", 1, 6000), 0); /* in the bytes it carries */
    assert_int_equal(td_delta_patch(files->base, files->delta, -1, NULL, &patched, NULL), 0);
    assert_memory_not_equal(made.version, patched.version, TD_SHA256_LEN);
    assert_memory_not_equal(made.delta, patched.delta, TD_SHA256_LEN);
    assert_int_equal(ftruncate(files->delta, 3000), 0);
    assert_int_equal(td_delta_patch(files->base, files->delta, -1, NULL, &patched, NULL), -EUCLEAN);
    assert_int_equal(td_pwrite_all(files->delta, "no delta", 8, 0), 0);
    assert_int_equal(td_delta_patch(files->base, files->delta, -1, NULL, &patched, NULL), -EUCLEAN);
}

static int never(void *ctx) {
    return --*(int *)ctx < 0 ? -ECANCELED : 0;
}

static void test_it_can_be_stopped(void **state) {
    struct files *files = *state;
    struct td_delta_sums sums;
    char base[100000];
    noise(base, sizeof base, 9);
    store(files->base, base, sizeof base);
    store(files->old, base, sizeof base);
    int left = 1;
    struct td_delta_watch watch = {never, &left};
    assert_int_equal(td_delta_make(files->base, files->old, files->delta, UINT64_MAX, &watch, &sums, NULL), -ECANCELED);
}

static void test_blocks(void **state) {
    (void)state;
    assert_int_equal(td_delta_block(0) >= 256, 1);
    assert_int_equal(td_delta_block(1000000), 896); /* about the square root, as librsync has it */
    assert_int_equal(td_delta_block(100 << 20), 4096);
    assert_int_equal(td_delta_block(8ULL << 30), 8192);
    assert_true((1ULL << 43) / td_delta_block(1ULL << 43) < 2U << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_changed_is_what_it_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_files_and_nothing_in_common, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_gives_up_when_it_would_grow_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_be_stopped, set_up, tear_down),
        cmocka_unit_test(test_blocks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
