/*
 * What an ext4 filesystem uses, on images made by the real mke2fs over a disk full of a pattern: whatever was written
 * must be told, and nothing that still holds the pattern.
 */
#include "loopdev.h"

#include "twindock/platform/ext4_layout.h"
#include "twindock/platform/ext4_used.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (40 * MIB)
#define PATTERN 0xa5
#define FILE_PATTERN 0x5a

static struct loopdev one, two;
static uint8_t *bytes;  /* of the image */
static uint8_t *in_use; /* a byte for each KiB */

static int setup(void **state) {
    (void)state;
    bytes = malloc(SIZE);
    in_use = calloc(1, SIZE / 1024);
    return bytes == NULL || in_use == NULL;
}

static int teardown(void **state) {
    (void)state;
    loopdev_destroy(&one);
    loopdev_destroy(&two);
    free(bytes);
    free(in_use);
    return 0;
}

static int open_image(const struct loopdev *loop, int flags) {
    int fd = open(loop->image, flags | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void fill(struct loopdev *loop, uint8_t value) {
    loopdev_create(loop, SIZE);
    int fd = open_image(loop, O_WRONLY);
    memset(bytes, value, SIZE);
    assert_int_equal(pwrite(fd, bytes, SIZE, 0), SIZE);
    close(fd);
}

static void load(const struct loopdev *loop) {
    int fd = open_image(loop, O_RDONLY);
    assert_int_equal(pread(fd, bytes, SIZE, 0), SIZE);
    close(fd);
}

/* Make a filesystem with three files in it, the second of them deleted again. */
static void make(struct loopdev *loop, const char *features, const char *block, const char *extended,
                 const char *per_group) {
    char file[320];
    int fd;
    if (per_group != NULL)
        must_run("mke2fs", "-q", "-F", "-t", "ext4", "-U", "18e61a61-6502-4510-8086-0065d1917f97", "-O", features, "-b",
                 block, "-E", extended, "-g", per_group, loop->image, NULL);
    else
        must_run("mke2fs", "-q", "-F", "-t", "ext4", "-U", "18e61a61-6502-4510-8086-0065d1917f97", "-O", features, "-b",
                 block, "-E", extended, loop->image, NULL);
    snprintf(file, sizeof file, "%s/file", loop->directory);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    memset(bytes, FILE_PATTERN, 3 * MIB);
    assert_int_equal(write(fd, bytes, 3 * MIB), 3 * MIB);
    close(fd);
    for (int i = 0; i < 3; i++) {
        char request[400];
        snprintf(request, sizeof request, "write %s f%d", file, i);
        must_run("debugfs", "-w", "-R", request, loop->image, NULL);
    }
    must_run("debugfs", "-w", "-R", "rm f1", loop->image, NULL);
    unlink(file);
}

/* Fill in_use; the stretches must be in order and apart. Returns the bytes told. */
static uint64_t collect(struct td_ext4_used *used) {
    struct td_range range;
    uint64_t end = 0, sum = 0;
    int rc;
    memset(in_use, 0, SIZE / 1024);
    while ((rc = td_ext4_used_next(used, &range, NULL)) > 0) {
        assert_true(range.start >= end);
        assert_true(range.length > 0);
        end = range.start + range.length;
        assert_true(end <= SIZE);
        memset(in_use + range.start / 1024, 1, range.length / 1024);
        sum += range.length;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(td_ext4_used_next(used, &range, NULL), 0);
    return sum;
}

static uint64_t tell(const struct loopdev *first, const struct loopdev *second) {
    struct td_ext4_used *used = NULL;
    struct td_error err = {0};
    int fds[2] = {open_image(first, O_RDONLY), second ? open_image(second, O_RDONLY) : -1};
    int rc = td_ext4_used_open(fds, second ? 2 : 1, &used, &err);
    if (rc != 0)
        print_message("%s\n", err.text);
    assert_int_equal(rc, 0);
    uint64_t sum = collect(used), about = td_ext4_used_estimate(used);
    assert_true(about + 4 * MIB > sum && sum + 24 * MIB > about);
    td_ext4_used_close(used);
    close(fds[0]);
    if (second)
        close(fds[1]);
    return sum;
}

static bool holds_only(const uint8_t *data, size_t len, uint8_t value) {
    return data[0] == value && memcmp(data, data + 1, len - 1) == 0;
}

/* `block`: bytes, the unit in which the filesystem writes. */
static void compare_with_pattern(size_t block) {
    uint64_t missing = 0, surplus = 0;
    for (uint64_t at = block == 1024 ? 1024 : 0; at < SIZE; at += block) {
        const uint8_t *data = bytes + at;
        bool untouched = holds_only(data, block, PATTERN), used = in_use[at / 1024] != 0;
        if (untouched && used && surplus++ < 5)
            print_message("block %llu was never written, but is told\n", (unsigned long long)(at / block));
        bool of_deleted = holds_only(data, block, FILE_PATTERN) || (data[0] == 0x0a && data[1] == 0xf3); /* its map */
        bool speaks = !untouched && !holds_only(data, block, 0) && !of_deleted;
        if (speaks && !used && missing++ < 5)
            print_message("block %llu holds something, but is not told\n", (unsigned long long)(at / block));
    }
    assert_int_equal(missing, 0);
    assert_int_equal(surplus, 0);
}

static uint64_t count_kib(uint8_t value, bool used) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < SIZE / 1024; i++)
        n += (in_use[i] != 0) == used && holds_only(bytes + i * 1024, 1024, value);
    return n;
}

static void test_shapes(void **state) {
    static const struct {
        const char *features, *block, *extended, *per_group;
        size_t unit;
    } rows[] = {
        {"64bit", "1024", "lazy_itable_init=0,nodiscard", NULL, 1024},
        {"64bit", "4096", "lazy_itable_init=0,nodiscard", NULL, 4096},
        {"64bit", "4096", "lazy_itable_init=1,nodiscard", NULL, 4096},
        {"^64bit", "1024", "lazy_itable_init=1,nodiscard", "512", 1024},
        {"64bit,^resize_inode,meta_bg", "1024", "lazy_itable_init=0,nodiscard", "512", 1024},
        {"^64bit,^resize_inode,meta_bg,^flex_bg", "1024", "lazy_itable_init=1,nodiscard", "256", 1024},
        {"^flex_bg", "1024", "lazy_itable_init=1,nodiscard", NULL, 1024},
        {"^flex_bg,^metadata_csum,uninit_bg", "2048", "lazy_itable_init=1,nodiscard", "1024", 2048},
        {"^metadata_csum,^uninit_bg", "1024", "nodiscard", "1024", 1024},
        {"sparse_super2", "1024", "lazy_itable_init=1,nodiscard", NULL, 1024},
        {"^sparse_super,^resize_inode", "1024", "lazy_itable_init=0,nodiscard", "1024", 1024},
        {"^resize_inode", "4096", "lazy_itable_init=1,nodiscard", "256", 4096},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("-O %s -b %s -E %s\n", rows[i].features, rows[i].block, rows[i].extended);
        fill(&one, PATTERN);
        make(&one, rows[i].features, rows[i].block, rows[i].extended, rows[i].per_group);
        load(&one);
        tell(&one, NULL);
        compare_with_pattern(rows[i].unit);
        assert_int_equal(count_kib(FILE_PATTERN, true), 6 * 1024); /* two files, and not the deleted one */
        assert_int_equal(count_kib(FILE_PATTERN, false), 3 * 1024);
        loopdev_destroy(&one);
    }
}

/* A bit stands for a cluster there, and what is free in a used cluster is told with it. */
static void test_clusters(void **state) {
    (void)state;
    fill(&one, PATTERN);
    make(&one, "bigalloc,^resize_inode", "4096", "lazy_itable_init=0,nodiscard", NULL);
    load(&one);
    tell(&one, NULL);
    assert_int_equal(count_kib(FILE_PATTERN, true), 6 * 1024);
    assert_int_equal(count_kib(FILE_PATTERN, false), 3 * 1024);
    assert_true(count_kib(PATTERN, true) < 1024);
    assert_true(count_kib(PATTERN, false) > 20 * 1024);
}

/* What one of two disks thinks is used counts, whichever it is. */
static void test_two_opinions(void **state) {
    (void)state;
    fill(&one, PATTERN);
    make(&one, "64bit", "1024", "lazy_itable_init=0,nodiscard", NULL);
    loopdev_create(&two, SIZE);
    must_run("cp", one.image, two.image, NULL);
    load(&one);
    uint64_t plain = tell(&one, &two);
    assert_int_equal(plain, tell(&one, NULL));
    must_run("debugfs", "-w", "-R", "rm f2", two.image, NULL);
    assert_int_equal(tell(&two, NULL), plain - 3 * MIB);
    assert_int_equal(tell(&one, &two), plain);
    assert_int_equal(tell(&two, &one), plain);
    must_run("debugfs", "-w", "-R", "rm f0", one.image, NULL); /* now each has what the other lacks */
    assert_int_equal(tell(&one, &two), plain);
}

/* Bitmaps and descriptors that lie do not hide anything. */
static void test_damage(void **state) {
    static const uint8_t none[4096];
    (void)state;
    fill(&one, PATTERN);
    make(&one, "64bit,^flex_bg", "4096", "lazy_itable_init=0,nodiscard", "2048");
    uint64_t plain = tell(&one, NULL);
    int fd = open_image(&one, O_WRONLY);
    uint8_t far[4] = {0xff, 0xff, 0xff, 0x7f};
    assert_int_equal(pwrite(fd, far, sizeof far, 4096 + 64), sizeof far); /* group 1's block bitmap is nowhere */
    close(fd);
    uint64_t all = tell(&one, NULL);
    assert_true(all > plain);
    assert_true(holds_only(in_use + 2048 * 4, 2048 * 4, 1)); /* then all of group 1 is */
    fd = open_image(&one, O_WRONLY);
    struct td_ext4_layout fs;
    struct td_ext4_group group;
    load(&one);
    assert_int_equal(td_ext4_layout_parse(bytes + TD_EXT4_SUPER_OFFSET, &fs), 0);
    assert_true(td_ext4_group_parse(&fs, bytes + td_ext4_descriptor_block(&fs, 0) * 4096, &group));
    assert_int_equal(pwrite(fd, none, sizeof none, (off_t)group.block_bitmap * 4096), sizeof none);
    close(fd);
    tell(&one, NULL);
    assert_int_equal(in_use[0], 1); /* superblock, descriptors, tables are known without it */
    assert_int_equal(in_use[group.inode_table * 4], 1);
    assert_int_equal(in_use[group.block_bitmap * 4], 1);
}

static int try_open(const struct loopdev *second) {
    struct td_ext4_used *used = NULL;
    struct td_error err = {0};
    int fds[2] = {open_image(&one, O_RDONLY), second ? open_image(second, O_RDONLY) : -1};
    int rc = td_ext4_used_open(fds, second ? 2 : 1, &used, &err);
    if (rc != 0)
        assert_null(used);
    td_ext4_used_close(used);
    close(fds[0]);
    if (second)
        close(fds[1]);
    return rc;
}

static void test_no_map(void **state) {
    (void)state;
    loopdev_create(&one, SIZE);
    assert_int_equal(try_open(NULL), -EINVAL);
    make(&one, "64bit", "4096", "lazy_itable_init=0", NULL);
    loopdev_create(&two, SIZE);
    make(&two, "64bit", "1024", "lazy_itable_init=0", NULL);
    assert_int_equal(try_open(&two), -EXDEV);
    must_run("debugfs", "-w", "-R", "feature needs_recovery", one.image, NULL);
    assert_int_equal(try_open(NULL), -EUCLEAN);
    must_run("truncate", "-s", "512", one.image, NULL);
    assert_int_equal(try_open(NULL), -EIO);
}

/* Numbers that make no sense are refused, and none of them may lead out of the buffers. */
static void test_damaged_superblocks(void **state) {
    (void)state;
    struct td_ext4_layout fs;
    uint8_t super[TD_EXT4_SUPER_SIZE];
    fill(&one, PATTERN);
    make(&one, "64bit,^metadata_csum", "1024", "lazy_itable_init=0", NULL);
    load(&one);
    static const struct {
        size_t at, len;
    } fields[] = {{0x14, 4}, {0x18, 4}, {0x20, 4}, {0x28, 4}, {0xfe, 2}, {0x174, 1}, {0x04, 4}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        memcpy(super, bytes + TD_EXT4_SUPER_OFFSET, sizeof super);
        memset(super + fields[i].at, 0xff, fields[i].len);
        bool size = fields[i].at == 0x04; /* that one is merely large */
        assert_int_equal(td_ext4_layout_parse(super, &fs), size ? 0 : -EINVAL);
    }
    srand(1);
    for (int i = 0; i < 200; i++) {
        int fd = open_image(&one, O_WRONLY);
        uint8_t noise = (uint8_t)rand();
        off_t at = rand() % 4 == 0 ? TD_EXT4_SUPER_OFFSET + rand() % 0x180 : 2048 + rand() % 512;
        assert_int_equal(pwrite(fd, &noise, 1, at), 1);
        close(fd);
        struct td_ext4_used *used = NULL;
        struct td_range range;
        fd = open_image(&one, O_RDONLY);
        uint64_t last = 0;
        if (td_ext4_used_open(&fd, 1, &used, NULL) == 0)
            for (int n = 0; n < 100000 && td_ext4_used_next(used, &range, NULL) > 0; n++) {
                assert_true(range.start >= last);
                last = range.start + range.length;
            }
        td_ext4_used_close(used);
        close(fd);
        if (i % 8 == 7) { /* begin again: too much of it and nothing is recognised */
            fd = open_image(&one, O_WRONLY);
            assert_int_equal(pwrite(fd, bytes, MIB, 0), MIB);
            close(fd);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_shapes), T(test_clusters), T(test_two_opinions),
        T(test_damage), T(test_no_map),   T(test_damaged_superblocks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
