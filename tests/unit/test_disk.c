/* sync/disk.h: small files read from the device below them, on a real ext4. */
#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/platform/extents.h"
#include "twindock/sync/disk.h"
#include "twindock/sync/reader.h"

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

#define FILES 200

static struct member member;
static struct td_disk *disk;
static void *buffer;

static void name_of(char out[16], int i) {
    snprintf(out, 16, "f%03d", i);
}

static int make(void **state) {
    (void)state;
    buffer = td_buffer_new(TD_READ_SIZE);
    member_make(&member, 640); /* with blocks of 4 KiB */
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(name, i);
        put_bytes(member.collection, name, (size_t)(1 + i * 37 % 9000), (unsigned)i);
    }
    assert_int_equal(syncfs(member.mounted), 0);
    assert_int_equal(td_disk_open(member.collection, &disk, NULL), 0);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    td_sys = td_libc;
    td_disk_close(disk);
    member_free(&member);
    free(buffer);
    return 0;
}

static void read_files(struct td_disk_file *files, size_t count) {
    td_disk_locate(disk, files, count);
    for (size_t i = 0; i < count;)
        i += td_disk_read(disk, &files[i], count - i);
}

static int reads;
static ssize_t counting_pread(int fd, void *data, size_t len, off_t offset) {
    reads++;
    return pread(fd, data, len, offset);
}

static void test_the_same_as_the_file(void **state) {
    (void)state;
    struct td_disk_file files[FILES] = {0};
    char names[FILES][16];
    for (int i = 0; i < FILES; i++) {
        name_of(names[i], i);
        files[i].path = names[i];
    }
    reads = 0;
    td_sys.pread = counting_pread;
    read_files(files, FILES);
    td_sys = td_libc;
    assert_in_range(reads, 1, FILES / 4); /* many at a time */
    for (int i = 0; i < FILES; i++) {
        struct td_hash_result plain;
        td_hash_file(member.collection, names[i], buffer, &plain);
        assert_true(files[i].read);
        assert_int_equal(files[i].result.bytes, plain.bytes);
        assert_memory_equal(files[i].result.hash, plain.hash, TD_HASH_LEN);
        assert_int_equal(files[i].result.stat.st_ino, plain.stat.st_ino);
    }
}

static void test_left_to_the_ordinary_way(void **state) {
    (void)state;
    const char *const names[] = {"absent", "empty", "large", "sparse", "unwritten", "dir", "fifo", "link", NULL};
    put_text(member.collection, "empty", "");
    put_bytes(member.collection, "large", TD_DISK_SMALL + 1, 1);
    put_dir(member.collection, "dir");
    put_fifo(member.collection, "fifo");
    put_link(member.collection, "link", "f001");
    TD_AUTOCLOSE int sparse = openat(member.collection, "sparse", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(td_pwrite_all(sparse, "x", 1, 65536), 0);
    TD_AUTOCLOSE int unwritten = openat(member.collection, "unwritten", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(fallocate(unwritten, 0, 0, 8192), 0);
    assert_int_equal(syncfs(member.mounted), 0);
    struct td_disk_file files[9] = {0};
    for (size_t i = 0; i < 9; i++)
        files[i].path = names[i]; /* the last is NULL: none */
    read_files(files, 9);
    for (size_t i = 0; i < 9; i++)
        assert_false(files[i].read);
}

static void test_dirty_data_is_not_taken_for_read(void **state) {
    (void)state;
    put_text(member.collection, "dirty", "still in memory alone");
    struct td_disk_file file = {.path = "dirty"};
    read_files(&file, 1);
    assert_false(file.read); /* it has no place yet */
}

/* One bit flipped on the device, below the mounted filesystem. */
static void flip(const char *name) {
    struct td_disk_file file = {.path = name};
    char image[96];
    td_disk_locate(disk, &file, 1);
    assert_true(file.readable);
    snprintf(image, sizeof(image), "%s/image", member.dir);
    TD_AUTOCLOSE int fd = open(image, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)file.place), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)file.place), 1);
}

static void test_a_flipped_bit_is_seen_past_the_cache(void **state) {
    (void)state;
    struct td_hash_result before, cached;
    td_hash_file(member.collection, "f010", buffer, &before);
    TD_AUTOFREE char *text = get_text(member.collection, "f010"); /* now it is in the page cache */
    assert_non_null(text);
    flip("f010");
    struct td_disk_file file = {.path = "f010"};
    read_files(&file, 1);
    assert_true(file.read);
    assert_memory_not_equal(file.result.hash, before.hash, TD_HASH_LEN);
    td_hash_file(member.collection, "f010", buffer, &cached);
    assert_memory_equal(cached.hash, file.result.hash, TD_HASH_LEN);
    flip("f010");
}

static int bad_spot;
static ssize_t failing_pread(int fd, void *data, size_t len, off_t offset) {
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode)) {
        bad_spot++;
        errno = EIO;
        return -1;
    }
    return pread(fd, data, len, offset);
}

/* --- large files ----------------------------------------------------------------------------------------- */

#define LARGE ((5U << 20) + 77) /* bytes: read ahead by a thread of its own */

static struct td_disk_file find_large(void) {
    bool whole = false;
    struct td_disk_file file = {.path = "no such name", .located = true, .size = LARGE};
    if (faccessat(member.collection, "large one", F_OK, 0) < 0)
        put_bytes(member.collection, "large one", LARGE, 3);
    assert_int_equal(syncfs(member.mounted), 0);
    TD_AUTOCLOSE int fd = openat(member.collection, "large one", O_RDONLY | O_CLOEXEC);
    assert_int_equal(td_extents_first(fd, LARGE, &file.place, &whole), 0);
    assert_true(whole);
    return file;
}

static int ticks;
static uint64_t ticked;
static int end_at; /* ticks */
static int count_tick(void *ctx, uint64_t bytes) {
    (void)ctx;
    ticked = bytes;
    return ++ticks == end_at ? -ECANCELED : 0;
}

static void read_large(struct td_disk_file *file) {
    struct td_hash_watch watch = {.tick = count_tick, .digest = td_digest_new(NULL)};
    ticks = 0;
    td_disk_locate(disk, file, 1);
    assert_true(file->alone && !file->readable);
    td_disk_read_alone(disk, file, &watch);
    td_digest_free(watch.digest);
}

static void flip_at(uint64_t place) {
    char image[96];
    snprintf(image, sizeof(image), "%s/image", member.dir);
    TD_AUTOCLOSE int fd = open(image, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)place), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)place), 1);
}

static void test_large_without_its_name(void **state) {
    (void)state;
    struct td_disk_file file = find_large();
    struct td_hash_result plain;
    td_hash_file(member.collection, "large one", buffer, &plain);
    read_large(&file);
    assert_true(file.read);
    assert_int_equal(file.result.bytes, LARGE);
    assert_int_equal(ticked, LARGE);
    assert_in_range(ticks, LARGE / TD_READ_SIZE, 2 * LARGE / TD_READ_SIZE);
    assert_memory_equal(file.result.hash, plain.hash, TD_HASH_LEN);
    flip_at(file.place + LARGE - 1); /* the last byte is read from the medium, too */
    read_large(&file);
    assert_true(file.read);
    assert_memory_not_equal(file.result.hash, plain.hash, TD_HASH_LEN);
    flip_at(file.place + LARGE - 1);
    end_at = 2;
    read_large(&file);
    end_at = 0;
    assert_false(file.read);
    assert_int_equal(file.result.error, ECANCELED);
}

/* A direct read refused: the device is never read in another way. */
static ssize_t refusing_pread(int fd, void *data, size_t len, off_t offset) {
    struct stat st;
    assert_true((fcntl(fd, F_GETFL) & O_DIRECT) != 0);
    if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return pread(fd, data, len, offset);
}

static void test_large_and_not_from_the_device(void **state) {
    (void)state;
    struct td_disk_file file = find_large(), odd = file, beyond = file;
    odd.place += 1024;
    beyond.place = UINT64_C(1) << 40;
    td_disk_locate(disk, &odd, 1);
    td_disk_locate(disk, &beyond, 1);
    assert_false(odd.alone || odd.readable || beyond.alone || beyond.readable);
    td_sys.pread = failing_pread;
    read_large(&file);
    assert_false(file.read);
    assert_int_equal(file.result.error, EIO);
    td_sys.pread = refusing_pread;
    read_large(&file);
    assert_false(file.read);
    assert_int_equal(file.result.error, EINVAL);
    td_sys = td_libc;
    read_large(&file); /* and it can still be read directly */
    assert_true(file.read);
}

/* --- the reader ------------------------------------------------------------------------------------------ */

static int expected, unexpected, failed;
static void see(void *ctx, const struct td_read_done *done) {
    (void)ctx;
    expected += done->as_expected;
    unexpected += !done->as_expected;
    failed += done->result.error != 0;
}

static void run_reader(const char *rotten) {
    struct td_reader_options options = {.side = TD_A, .root = member.collection, .done = see, .from_device = true};
    struct td_reader *reader;
    expected = unexpected = failed = 0;
    struct td_read_job jobs[FILES];
    char names[FILES][16];
    for (int i = 0; i < FILES; i++) {
        struct td_hash_result result;
        name_of(names[i], i);
        td_hash_file(member.collection, names[i], buffer, &result);
        jobs[i] = (struct td_read_job){.id = i, .path = names[i], .expected = true};
        memcpy(jobs[i].hash, result.hash, TD_HASH_LEN);
    }
    if (rotten)
        flip(rotten);
    assert_int_equal(td_reader_start(&options, &reader, NULL), 0);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(td_reader_offer(reader, &jobs[i]), 1);
    td_reader_stop(reader, false);
    if (rotten)
        flip(rotten);
}

static void test_reader(void **state) {
    (void)state;
    run_reader(NULL);
    assert_int_equal(expected, FILES);
    run_reader("f020");
    assert_int_equal(expected, FILES - 1);
    assert_int_equal(unexpected, 1);
    assert_int_equal(failed, 0);
    bad_spot = 0; /* what cannot be read from the device is read from the file */
    td_sys.pread = failing_pread;
    run_reader(NULL);
    td_sys = td_libc;
    assert_true(bad_spot > 0);
    assert_int_equal(expected, FILES);
}

/* The walk knows the place: the name is asked for only where that does not lead to what is expected. */
static void test_reader_of_large_files(void **state) {
    (void)state;
    struct td_disk_file file = find_large();
    struct td_reader_options options = {.side = TD_A, .root = member.collection, .done = see, .from_device = true};
    struct td_reader *reader;
    struct td_hash_result plain;
    td_hash_file(member.collection, "large one", buffer, &plain);
    struct td_read_job job = {
        .path = "no such name", .expected = true, .located = true, .place = file.place, .size = LARGE};
    memcpy(job.hash, plain.hash, TD_HASH_LEN);
    for (int round = 0; round < 3; round++) {
        expected = unexpected = failed = 0;
        if (round == 1)
            flip_at(file.place);
        if (round == 2) {
            flip_at(file.place);
            job.path = "large one";
            td_sys.pread = failing_pread;
        }
        assert_int_equal(td_reader_start(&options, &reader, NULL), 0);
        assert_int_equal(td_reader_offer(reader, &job), 1);
        td_reader_stop(reader, false);
        td_sys = td_libc;
        assert_int_equal(expected, round != 1);
        assert_int_equal(failed, round == 1); /* the name that is not there has been asked for */
    }
}

static void test_not_on_every_filesystem(void **state) {
    (void)state;
    struct td_disk *none;
    TD_AUTOCLOSE int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(td_disk_open(proc, &none, NULL) < 0);
    assert_null(none);
}

int main(void) {
    if (!member_possible()) {
        printf("1..0 # SKIP needs root, for loop devices\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_as_the_file),
        cmocka_unit_test(test_left_to_the_ordinary_way),
        cmocka_unit_test(test_dirty_data_is_not_taken_for_read),
        cmocka_unit_test(test_a_flipped_bit_is_seen_past_the_cache),
        cmocka_unit_test(test_large_without_its_name),
        cmocka_unit_test(test_large_and_not_from_the_device),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_of_large_files),
        cmocka_unit_test(test_not_on_every_filesystem),
    };
    return cmocka_run_group_tests_name("disk", tests, make, unmake);
}
