/* sync/reader.h: in order, every one, and no one waits who should not. */
#include "twindock/base/beneath.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES 200

static char scratch[PATH_MAX];
static int root = -1;

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-reader-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

static void name_of(char out[16], int i) {
    snprintf(out, 16, "f%03d", i);
}

static int remove_scratch(void **state) {
    (void)state;
    td_sys = td_libc;
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(name, i);
        unlinkat(root, name, 0);
    }
    close(root);
    return rmdir(scratch);
}

static void make_file(int i, off_t size) {
    char name[16];
    name_of(name, i);
    int fd = td_open_beneath(root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, name, strlen(name)), 0);
    if (size > 0) {
        char *data = calloc(1, (size_t)size);
        assert_int_equal(td_write_all(fd, data, (size_t)size), 0);
        free(data);
    }
    close(fd);
}

/* What the callbacks saw, and a gate that holds the reader's thread up until it is opened. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool gated, waiting;
    int count;
    int64_t id[FILES];
    int error[FILES];
    uint8_t hash[FILES][TD_HASH_LEN];
    int progress;
    uint64_t progress_bytes;
    bool grew, block_signals, own_thread;
    pthread_t test;
};

static void note(void *ctx, const struct td_read_done *done) {
    struct seen *seen = ctx;
    sigset_t blocked;
    pthread_mutex_lock(&seen->lock);
    assert_int_equal(done->side, TD_B);
    seen->id[seen->count] = done->id;
    seen->error[seen->count] = done->result.error;
    memcpy(seen->hash[seen->count], done->result.hash, TD_HASH_LEN);
    seen->count++;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    seen->block_signals = sigismember(&blocked, SIGTERM) == 1;
    seen->own_thread = !pthread_equal(seen->test, pthread_self());
    seen->waiting = true;
    pthread_cond_broadcast(&seen->change);
    while (seen->gated)
        pthread_cond_wait(&seen->change, &seen->lock);
    seen->waiting = false;
    pthread_mutex_unlock(&seen->lock);
}

static void note_progress(void *ctx, enum td_side side, uint64_t bytes) {
    struct seen *seen = ctx;
    pthread_mutex_lock(&seen->lock);
    assert_int_equal(side, TD_B);
    seen->grew = bytes > seen->progress_bytes;
    seen->progress_bytes = bytes;
    seen->progress++;
    pthread_cond_broadcast(&seen->change);
    while (seen->gated)
        pthread_cond_wait(&seen->change, &seen->lock);
    pthread_mutex_unlock(&seen->lock);
}

static struct td_reader *start(struct seen *seen, size_t queue, bool gated) {
    struct td_reader *reader;
    *seen = (struct seen){.gated = gated, .test = pthread_self()};
    pthread_mutex_init(&seen->lock, NULL);
    pthread_cond_init(&seen->change, NULL);
    struct td_reader_options options = {
        .side = TD_B, .root = root, .queue = queue, .done = note, .progress = note_progress, .ctx = seen};
    assert_int_equal(td_reader_start(&options, &reader, NULL), 0);
    return reader;
}

static void open_gate(struct seen *seen) {
    pthread_mutex_lock(&seen->lock);
    seen->gated = false;
    pthread_cond_broadcast(&seen->change);
    pthread_mutex_unlock(&seen->lock);
}

static void wait_for_first(struct seen *seen) {
    pthread_mutex_lock(&seen->lock);
    while (!seen->waiting)
        pthread_cond_wait(&seen->change, &seen->lock);
    pthread_mutex_unlock(&seen->lock);
}

static int offer(struct td_reader *reader, int64_t id, const char *path) {
    struct td_read_job job = {.id = id, .path = path};
    return td_reader_offer(reader, &job);
}

static void in_the_order_offered(void **state) {
    (void)state;
    struct seen seen;
    for (int i = 0; i < FILES; i++)
        make_file(i, 0);
    struct td_reader *reader = start(&seen, 0, false);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(name, i * 7 % FILES);
        assert_int_equal(offer(reader, 1000 + i, name), 1);
        memset(name, 'x', 4); /* the reader has its own copy */
    }
    td_reader_stop(reader, false);
    assert_int_equal(seen.count, FILES);
    assert_true(seen.own_thread && seen.block_signals);
    struct td_digest *digest = td_digest_new(NULL);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        uint8_t hash[TD_HASH_LEN];
        name_of(name, i * 7 % FILES);
        td_digest_start(digest);
        td_digest_add(digest, name, strlen(name));
        td_digest_end(digest, hash);
        assert_int_equal(seen.id[i], 1000 + i);
        assert_int_equal(seen.error[i], 0);
        assert_memory_equal(seen.hash[i], hash, TD_HASH_LEN);
    }
    td_digest_free(digest);
}

static void a_full_queue_says_so(void **state) {
    (void)state;
    struct seen seen;
    make_file(0, 0);
    struct td_reader *reader = start(&seen, 3, true);
    assert_int_equal(td_reader_pending(reader), 0);
    assert_int_equal(offer(reader, 0, "f000"), 1);
    wait_for_first(&seen); /* it has left the queue, and is not done with */
    assert_int_equal(td_reader_pending(reader), 1);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(offer(reader, i, "f000"), 1);
    assert_int_equal(offer(reader, 4, "f000"), 0);
    assert_int_equal(td_reader_pending(reader), 4);
    open_gate(&seen);
    while (td_reader_pending(reader) > 0)
        usleep(1000);
    assert_int_equal(offer(reader, 5, "f000"), 1); /* round the ring */
    td_reader_stop(reader, false);
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.id[4], 5);
}

static void failures_are_results(void **state) {
    (void)state;
    struct seen seen;
    make_file(0, 0);
    struct td_reader *reader = start(&seen, 0, false);
    assert_int_equal(offer(reader, 0, "absent"), 1);
    assert_int_equal(offer(reader, 1, ""), 1);
    assert_int_equal(offer(reader, 2, "f000"), 1);
    td_reader_stop(reader, false);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.error[0], ENOENT);
    assert_int_equal(seen.error[1], EINVAL);
    assert_int_equal(seen.error[2], 0);
}

/* Well after the cancel that the test's thread is about to tell. */
static void *open_gate_later(void *ctx) {
    usleep(200000);
    open_gate(ctx);
    return NULL;
}

static void cancelled_at_once(void **state) {
    (void)state;
    struct seen seen;
    make_file(0, 0);
    struct td_reader *reader = start(&seen, 0, true);
    for (int i = 0; i < 100; i++)
        assert_int_equal(offer(reader, i, "f000"), 1);
    wait_for_first(&seen);
    pthread_t opener;
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &seen), 0);
    td_reader_stop(reader, true);
    pthread_join(opener, NULL);
    assert_int_equal(seen.count, 1); /* nothing after the one that was being reported */
    td_reader_stop(NULL, true);
}

static void progress_of_large_files(void **state) {
    (void)state;
    struct seen seen;
    make_file(0, 33 << 20);
    struct td_reader *reader = start(&seen, 0, false);
    assert_int_equal(offer(reader, 0, "f000"), 1);
    td_reader_stop(reader, false);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.progress, 4);
    assert_int_equal(seen.progress_bytes, 32 << 20);
    assert_true(seen.grew);
}

static atomic_int pieces;

static ssize_t counted_pread(int fd, void *data, size_t len, off_t offset) {
    atomic_fetch_add(&pieces, 1);
    usleep(20000);
    return td_libc.pread(fd, data, len, offset);
}

static void cancelled_within_a_file(void **state) {
    (void)state;
    struct seen seen;
    make_file(0, 33 << 20);
    td_sys.pread = counted_pread;
    atomic_store(&pieces, 0);
    struct td_reader *reader = start(&seen, 0, false);
    assert_int_equal(offer(reader, 0, "f000"), 1);
    while (atomic_load(&pieces) < 2)
        usleep(1000);
    td_reader_stop(reader, true);
    assert_true(atomic_load(&pieces) < 20); /* of 34 */
    assert_int_equal(seen.count, 0);
}

static void several_at_a_time(void **state) {
    (void)state;
    struct seen seen = {.test = pthread_self()};
    struct td_reader *reader;
    bool found[FILES] = {false};
    pthread_mutex_init(&seen.lock, NULL);
    pthread_cond_init(&seen.change, NULL);
    struct td_reader_options options = {.side = TD_B, .root = root, .threads = 3, .done = note, .ctx = &seen};
    assert_int_equal(td_reader_start(&options, &reader, NULL), 0);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        make_file(i, 0);
        name_of(name, i);
        assert_int_equal(offer(reader, i, name), 1);
    }
    td_reader_stop(reader, false);
    assert_int_equal(seen.count, FILES);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(seen.error[i], 0);
        assert_false(found[seen.id[i]]);
        found[seen.id[i]] = true;
    }
}

int main(void) {
#define in_scratch(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        in_scratch(in_the_order_offered), in_scratch(a_full_queue_says_so),    in_scratch(failures_are_results),
        in_scratch(cancelled_at_once),    in_scratch(progress_of_large_files), in_scratch(cancelled_within_a_file),
        in_scratch(several_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
