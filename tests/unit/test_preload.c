/* sync/preload.h and platform/ext4_inodes.h, on a real ext4: what a walk needs is in the cache before it asks. */
#include "member.h"

#include "twindock/base/cleanup.h"
#include "twindock/platform/ext4_inodes.h"
#include "twindock/platform/extents.h"
#include "twindock/sync/preload.h"
#include "twindock/sync/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define DIRECTORIES 40
#define FILES 25 /* in each of them */
#define PAGE 4096U
#define INODES (DIRECTORIES * (FILES + 1))

static struct member member;

static int make(void **state) {
    (void)state;
    member_make(&member, 64);
    for (int d = 0; d < DIRECTORIES; d++)
        for (int f = 0; f < FILES; f++) {
            char path[64];
            snprintf(path, sizeof(path), "d%02d/a name of some length, so that it takes room %02d", d, f);
            put_text(member.collection, path, "x");
        }
    assert_int_equal(syncfs(member.mounted), 0);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    member_free(&member);
    return 0;
}

static int open_device(void) {
    struct td_blockdev device;
    assert_int_equal(td_extents_device(member.mounted, &device, NULL), 0);
    int fd = open(device.node, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* How many of the pages that this lies on are in the device's cache, and how many there are? */
static void count_cached(int device, const struct td_range *where, uint64_t *in, uint64_t *all) {
    uint64_t from = where->start / PAGE * PAGE, to = (where->start + where->length + PAGE - 1) / PAGE * PAGE;
    unsigned char resident[1024];
    size_t pages = (size_t)((to - from) / PAGE);
    assert_in_range(pages, 1, sizeof(resident));
    void *map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, device, (off_t)from);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, pages * PAGE, resident), 0);
    munmap(map, pages * PAGE);
    for (size_t i = 0; i < pages; i++)
        *in += resident[i] & 1;
    *all += pages;
}

static void test_inodes_in_use(void **state) {
    (void)state;
    struct td_ext4_inodes inodes;
    TD_AUTOCLOSE int device = open_device();
    assert_int_equal(td_ext4_inodes(device, &inodes, NULL), 0);
    assert_in_range(inodes.bytes, INODES * inodes.inode_size, 2 * (INODES + 100) * inodes.inode_size);
    uint64_t sum = 0;
    for (size_t i = 0; i < inodes.count; i++) {
        sum += inodes.stretch[i].length;
        if (i > 0)
            assert_true(inodes.stretch[i - 1].start + inodes.stretch[i - 1].length < inodes.stretch[i].start);
    }
    assert_int_equal(sum, inodes.bytes);
    td_ext4_inodes_free(&inodes);
    assert_int_equal(inodes.count, 0);
    TD_AUTOCLOSE int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_int_equal(td_ext4_inodes(zero, &inodes, NULL), -EINVAL);
}

/* All of the inode tables after it, and not before. */
static void test_inodes_are_read(void **state) {
    (void)state;
    struct td_ext4_inodes inodes;
    struct td_preload *preload;
    uint64_t all = 0, before = 0, after = 0;
    atomic_bool stop = true;
    member_remount(&member);
    TD_AUTOCLOSE int device = open_device();
    assert_int_equal(td_ext4_inodes(device, &inodes, NULL), 0);
    for (int round = 0; round < 3; round++) {
        assert_non_null(preload = td_preload_open(member.collection, round == 1 ? &stop : NULL));
        before = after;
        if (round > 0)
            td_preload_inodes(preload, round == 1 ? INODES : 1); /* stopped; of no use for a single file */
        if (round == 2)
            td_preload_inodes(preload, INODES);
        td_preload_close(preload);
        all = after = 0;
        for (size_t i = 0; i < inodes.count; i++)
            count_cached(device, &inodes.stretch[i], &after, &all);
    }
    assert_in_range(before, 0, all / 2);
    assert_int_equal(after, all);
    td_ext4_inodes_free(&inodes);
}

static int note_range(void *ctx, const struct td_range *where) {
    struct td_range *range = ctx;
    *range = *where;
    return 1;
}

static void test_directories_are_read(void **state) {
    (void)state;
    struct td_range where[DIRECTORIES];
    member_remount(&member);
    TD_AUTOCLOSE int device = open_device();
    struct td_preload *preload = td_preload_open(member.collection, NULL);
    assert_non_null(preload);
    uint64_t before = 0, after = 0, all = 0;
    for (int round = 0; round < 2; round++) {
        for (int d = 0; d < DIRECTORIES; d++) {
            char name[16];
            snprintf(name, sizeof(name), "d%02d", d);
            TD_AUTOCLOSE int fd = openat(member.collection, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            assert_int_equal(td_extents_each(fd, note_range, &where[d]), 1);
            count_cached(device, &where[d], round == 0 ? &before : &after, &all);
            td_preload_note(preload, fd);
        }
        td_preload_read(preload);
    }
    td_preload_read(preload); /* there is nothing to be read any more */
    td_preload_close(preload);
    assert_in_range(before, 0, all / 4);
    assert_int_equal(after, all / 2); /* of both rounds */
}

static int count_entry(void *ctx, const struct td_entry *entry) {
    assert_int_equal(entry->error, 0);
    ++*(size_t *)ctx;
    return 0;
}

static void test_the_walk_is_the_same(void **state) {
    (void)state;
    static const uint64_t guesses[] = {0, INODES, 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        struct td_walk_options options = {.one_filesystem = true, .entries = guesses[i]};
        size_t count = 0;
        member_remount(&member);
        assert_int_equal(td_walk(member.collection, &options, count_entry, &count, NULL), 0);
        assert_int_equal(count, INODES + 1);
    }
}

static void test_not_on_every_filesystem(void **state) {
    (void)state;
    TD_AUTOCLOSE int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_null(td_preload_open(proc, NULL));
    td_preload_inodes(NULL, 1); /* and nothing has to ask */
    td_preload_note(NULL, proc);
    td_preload_read(NULL);
    td_preload_close(NULL);
}

int main(void) {
    if (!member_possible()) {
        printf("1..0 # SKIP needs root, for loop devices\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inodes_in_use),           cmocka_unit_test(test_inodes_are_read),
        cmocka_unit_test(test_directories_are_read),    cmocka_unit_test(test_the_walk_is_the_same),
        cmocka_unit_test(test_not_on_every_filesystem),
    };
    return cmocka_run_group_tests_name("preload", tests, make, unmake);
}
