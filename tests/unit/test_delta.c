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

/* --- chains -------------------------------------------------------------------------------------------------- */

#define MOST (400U << 10)
#define CHAIN 12

/* Change a content as programs do: here and there, shifted, cut off, a part moved or doubled, zeros. */
static size_t change(char *data, size_t len, unsigned *seed) {
    static char part[MOST];
    size_t at = (unsigned)rand_r(seed) % (len + 1), size = 1 + (unsigned)rand_r(seed) % 9000;
    size_t from = (unsigned)rand_r(seed) % (len + 1);
    switch (rand_r(seed) % 6) {
    case 0:
        size = at + size > len ? len - at : size;
        noise(data + at, size, (unsigned)rand_r(seed));
        return len;
    case 1:
        size = len + size > MOST ? MOST - len : size;
        memmove(data + at + size, data + at, len - at);
        noise(data + at, size, (unsigned)rand_r(seed));
        return len + size;
    case 2:
        size = at + size > len ? len - at : size;
        memmove(data + at, data + at + size, len - at - size);
        return len - size;
    case 3: /* doubled: spans of the base that overlap */
        size = (unsigned)rand_r(seed) % 60000;
        size = from + size > len ? len - from : size;
        size = len + size > MOST ? MOST - len : size;
        memcpy(part, data + from, size);
        memmove(data + at + size, data + at, len - at);
        memcpy(data + at, part, size);
        return len + size;
    case 4:
        size = at + 5 * size > len ? len - at : 5 * size;
        memset(data + at, 0, size);
        return len;
    default: /* the halves change places */
        memcpy(part, data + at, len - at);
        memcpy(part + len - at, data, at);
        memcpy(data, part, len);
        return len;
    }
}

static void test_a_chain_is_gone_through_at_once(void **state) {
    struct files *files = *state;
    static char old[MOST], got[MOST], newer[MOST];
    for (unsigned seed = 1; seed <= 40; seed++) {
        unsigned random = seed;
        struct td_delta_spans wanted = {0};
        struct td_delta_sums sums, first = {.size = 0};
        uint8_t delta[CHAIN][TD_SHA256_LEN];
        char name[CHAIN][32];
        int deltas[CHAIN];
        uint64_t sizes[CHAIN];
        size_t len = 100000 + (unsigned)rand_r(&random) % 100000, size = len;
        noise(old, len, seed);
        memcpy(newer, old, len);
        for (int i = 0; i < CHAIN; i++) {
            store(files->old, newer, size);
            uint64_t before = size;
            size = change(newer, size, &random);
            store(files->base, newer, size);
            deltas[i] = make_file(name[i]);
            sizes[i] = before;
            assert_int_equal(td_delta_make(files->base, files->old, deltas[i], UINT64_MAX, NULL, &sums, NULL), 0);
            memcpy(delta[i], sums.delta, TD_SHA256_LEN);
        }
        store(files->out, "", 0);
        assert_int_equal(td_delta_spans_all(&wanted), 0);
        for (int i = 0; i < CHAIN; i++) {
            assert_int_equal(td_delta_resolve(deltas[i], sizes[i], files->out, &wanted, NULL, &sums, NULL), 0);
            assert_memory_equal(sums.delta, delta[i], TD_SHA256_LEN);
            first = i == 0 ? sums : first;
            close(deltas[i]);
            unlink(name[i]);
        }
        assert_int_equal(first.size, len);
        assert_int_equal(td_delta_complete(files->base, files->out, &wanted, NULL, NULL), 0);
        assert_int_equal(ftruncate(files->out, (off_t)len), 0);
        assert_int_equal(td_pread_all(files->out, got, sizeof got, 0), len);
        assert_memory_equal(got, old, len);
        td_delta_spans_free(&wanted);
    }
}

/* A delta as rdiff writes it: what is copied, and bytes of its own. */
struct writing {
    uint8_t data[4096];
    size_t len;
};

static void put_number(struct writing *writing, uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8)
        writing->data[writing->len++] = (uint8_t)(number >> shift);
}

static void put_copy(struct writing *writing, uint64_t from, uint64_t len) {
    writing->data[writing->len++] = 0x54; /* RS_OP_COPY_N8_N8 */
    put_number(writing, from);
    put_number(writing, len);
}

static void put_own(struct writing *writing, const char *text) {
    writing->data[writing->len++] = (uint8_t)strlen(text); /* RS_OP_LITERAL_1 and on */
    memcpy(writing->data + writing->len, text, strlen(text));
    writing->len += strlen(text);
}

static struct writing begin_delta(void) {
    return (struct writing){.data = {'r', 's', 0x02, '6'}, .len = 4};
}

static void end_delta(const struct files *files, struct writing *writing) {
    writing->data[writing->len++] = 0;
    store(files->delta, (const char *)writing->data, writing->len);
}

/* What comes of the delta alone, over the base: 0 or a negative errno. */
static int through(const struct files *files, struct td_delta_spans *wanted, uint64_t size) {
    struct td_delta_sums sums;
    assert_int_equal(ftruncate(files->out, 0), 0);
    assert_int_equal(td_delta_spans_all(wanted), 0);
    int rc = td_delta_resolve(files->delta, size, files->out, wanted, NULL, &sums, NULL);
    return rc != 0 ? rc : td_delta_complete(files->base, files->out, wanted, NULL, NULL);
}

static void test_damaged_deltas_of_a_chain(void **state) {
    struct files *files = *state;
    struct td_delta_spans wanted = {0};
    char base[10000];
    noise(base, sizeof base, 10);
    store(files->base, base, sizeof base);
    struct writing fine = begin_delta();
    put_copy(&fine, 4000, 100);
    put_own(&fine, "own");
    put_copy(&fine, 4000, 200);
    end_delta(files, &fine);
    assert_int_equal(through(files, &wanted, 303), 0);
    assert_int_equal(through(files, &wanted, 302), -EUCLEAN); /* not the size that it had */
    assert_int_equal(through(files, &wanted, 304), -EUCLEAN);
    for (size_t cut = 0; cut < fine.len; cut++) {
        assert_int_equal(ftruncate(files->delta, (off_t)cut), 0);
        assert_int_equal(through(files, &wanted, 303), -EUCLEAN);
        store(files->delta, (const char *)fine.data, fine.len);
    }
    struct writing past = begin_delta(); /* past the end of the base */
    put_copy(&past, 9990, 20);
    end_delta(files, &past);
    assert_int_equal(through(files, &wanted, 20), -EUCLEAN);
    struct writing far = begin_delta();
    put_copy(&far, INT64_MAX - 10, 20);
    end_delta(files, &far);
    assert_int_equal(through(files, &wanted, 20), -EUCLEAN);
    struct writing huge = begin_delta();
    put_copy(&huge, 0, UINT64_C(1) << 61);
    end_delta(files, &huge);
    assert_int_equal(through(files, &wanted, 10000), -EUCLEAN); /* at once */
    struct writing endless = begin_delta();
    put_copy(&endless, 0, UINT64_MAX);
    end_delta(files, &endless);
    assert_int_equal(through(files, &wanted, 10000), -EUCLEAN);
    td_delta_spans_free(&wanted);
}

static void test_more_spans_than_there_may_be(void **state) {
    struct files *files = *state;
    struct td_delta_spans wanted = {.most = 10};
    struct td_delta_sums sums;
    char base[10000];
    noise(base, sizeof base, 11);
    store(files->base, base, sizeof base);
    struct writing some = begin_delta();
    for (uint64_t i = 0; i < 10; i++)
        put_copy(&some, 9000 - 100 * i, 50);
    end_delta(files, &some);
    assert_int_equal(through(files, &wanted, 500), 0);
    assert_int_equal(wanted.count, 10);
    struct writing more = begin_delta();
    for (uint64_t i = 0; i < 11; i++)
        put_copy(&more, 9000 - 100 * i, 50);
    end_delta(files, &more);
    assert_int_equal(through(files, &wanted, 550), -E2BIG);
    /* What a version wants many times over, its base is asked for as often: as it was, when that is too much. */
    assert_int_equal(td_delta_spans_all(&wanted), 0);
    struct writing often = begin_delta();
    for (uint64_t i = 0; i < 4; i++)
        put_copy(&often, 0, 500);
    end_delta(files, &often);
    assert_int_equal(td_delta_resolve(files->delta, 2000, files->out, &wanted, NULL, &sums, NULL), 0);
    assert_int_equal(wanted.count, 4);
    store(files->delta, (const char *)some.data, some.len);
    assert_int_equal(td_delta_resolve(files->delta, 500, files->out, &wanted, NULL, &sums, NULL), -E2BIG);
    assert_int_equal(wanted.count, 4);
    assert_int_equal(wanted.at[3].len, 500);
    td_delta_spans_free(&wanted);
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
        cmocka_unit_test_setup_teardown(test_a_chain_is_gone_through_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_deltas_of_a_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_spans_than_there_may_be, set_up, tear_down),
        cmocka_unit_test(test_blocks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
