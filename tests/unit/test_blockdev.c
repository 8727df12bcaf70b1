#include "loopdev.h"

#include "twindock/base/clock.h"
#include "twindock/platform/blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static struct loopdev loop;

static int setup(void **state) {
    (void)state;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loopdev_destroy(&loop);
    return 0;
}

static void need_root(void) {
    if (geteuid() != 0)
        skip();
}

static void describes_a_loop_device(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 9 * MIB + 512);
    loopdev_attach(&loop, false);
    struct td_blockdev device;
    struct stat st;
    assert_int_equal(stat(loop.node, &st), 0);
    assert_int_equal(td_blockdev_from_node(loop.node, &device, NULL), 0);
    assert_string_equal(device.node, loop.node);
    assert_string_equal(device.sysname, loop.node + 5);
    assert_string_equal(device.disk, device.sysname);
    assert_int_equal(device.number, st.st_rdev);
    assert_int_equal(device.disk_number, st.st_rdev);
    assert_int_equal(device.size, 9 * MIB + 512);

    struct td_blockdev again;
    assert_int_equal(td_blockdev_from_number(st.st_rdev, &again, NULL), 0);
    assert_memory_equal(&again, &device, sizeof device);
}

static void another_medium_has_another_diskseq(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, false);
    struct td_blockdev first, second;
    char node[TD_NODE_MAX];
    memcpy(node, loop.node, sizeof node);
    assert_int_equal(td_blockdev_from_node(node, &first, NULL), 0);
    if (first.diskseq == 0)
        skip(); /* before Linux 5.15 */
    loopdev_detach(&loop);
    loopdev_attach(&loop, false);
    assert_int_equal(td_blockdev_from_node(loop.node, &second, NULL), 0);
    assert_int_not_equal(second.diskseq, first.diskseq);
}

/* What is open is judged by its own numbers: a size or a medium that is another, or no device at all. */
static void is_still_what_was_looked_at(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, false);
    struct td_blockdev device, other;
    struct td_error err = {0};
    assert_int_equal(td_blockdev_from_node(loop.node, &device, NULL), 0);
    int fd = open(loop.node, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(td_blockdev_check_open(fd, &device, &err), 0);
    other = device;
    other.size += 512;
    assert_int_equal(td_blockdev_check_open(fd, &other, &err), -ENXIO);
    assert_non_null(strstr(err.text, "another disk"));
    other = device;
    other.diskseq += 1;
    assert_int_equal(td_blockdev_check_open(fd, &other, &err), device.diskseq != 0 ? -ENXIO : 0);
    other = device;
    other.number += 1;
    assert_int_equal(td_blockdev_check_open(fd, &other, &err), -ENXIO);
    close(fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(td_blockdev_check_open(fd, &device, &err), -ENXIO);
    assert_non_null(strstr(err.text, "gone"));
    close(fd);
}

static void follows_symlinks(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, false);
    char link[400];
    snprintf(link, sizeof link, "%s/by-path", loop.directory);
    assert_int_equal(symlink(loop.node, link), 0);
    struct td_blockdev device;
    int rc = td_blockdev_from_node(link, &device, NULL);
    unlink(link);
    assert_int_equal(rc, 0);
    assert_string_equal(device.node, loop.node);
}

static void says_what_is_no_device(void **state) {
    (void)state;
    struct td_blockdev device;
    struct td_error err = {0};
    assert_int_equal(td_blockdev_from_node("/dev/no-such-device", &device, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/dev/no-such-device"));
    assert_int_equal(td_blockdev_from_node("/dev/null", &device, &err), -ENOTBLK);
    assert_int_equal(td_blockdev_from_node("/", &device, &err), -ENOTBLK);
}

static void a_node_without_device(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    char node[400];
    snprintf(node, sizeof node, "%s/node", loop.directory);
    assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(240, 77)), 0); /* for local use, nobody's here */
    struct td_blockdev device;
    int rc = td_blockdev_from_node(node, &device, NULL);
    unlink(node);
    assert_int_equal(rc, -ENXIO);
    assert_int_equal(td_blockdev_from_number(makedev(240, 77), &device, NULL), -ENXIO);
}

static void finds_partitions_in_order(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 64 * MIB);
    const char *script = "printf 'label: gpt\\n'; for i in 1 2 3 4 5 6 7 8 9 10 11; do echo size=1MiB; done";
    char command[500];
    snprintf(command, sizeof command, "{ %s; } | sfdisk -q %s", script, loop.image);
    must_run("sh", "-c", command, NULL);
    loopdev_attach(&loop, true);
    struct td_blockdev disk, parts[16];
    assert_int_equal(td_blockdev_from_node(loop.node, &disk, NULL), 0);
    assert_int_equal(td_blockdev_partitions(&disk, parts, 16, NULL), 11);
    for (int i = 0; i < 11; i++) {
        char name[300];
        snprintf(name, sizeof name, "%sp%d", disk.sysname, i + 1);
        assert_string_equal(parts[i].sysname, name);
        assert_string_equal(parts[i].disk, disk.sysname);
        assert_int_equal(parts[i].disk_number, disk.number);
        assert_int_not_equal(parts[i].number, disk.number);
        assert_int_equal(parts[i].size, MIB);
        assert_int_equal(parts[i].diskseq, disk.diskseq);
    }
    assert_int_equal(td_blockdev_partitions(&disk, parts, 3, NULL), 3);
    /* From a partition, its disk's. */
    assert_int_equal(td_blockdev_partitions(&parts[1], parts + 4, 12, NULL), 11);
}

static void no_partitions(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, true);
    struct td_blockdev disk, part;
    assert_int_equal(td_blockdev_from_node(loop.node, &disk, NULL), 0);
    assert_int_equal(td_blockdev_partitions(&disk, &part, 1, NULL), 0);
}

static void locks_against_others(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, false);
    int mine = td_blockdev_lock(loop.node, NULL);
    assert_true(mine >= 0);
    assert_true(fcntl(mine, F_GETFD) & FD_CLOEXEC);
    int other = open(loop.node, O_RDONLY | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_SH | LOCK_NB), -1); /* as udevd tries it */
    close(mine);
    assert_int_equal(flock(other, LOCK_SH | LOCK_NB), 0);

    /* Held for good: given up after five seconds. */
    struct td_error err = {0};
    int64_t begin = td_boot_ns();
    assert_int_equal(td_blockdev_lock(loop.node, &err), -EBUSY);
    int64_t took = td_boot_ns() - begin;
    assert_true(took > 4500000000 && took < 8000000000);
    assert_non_null(strstr(err.text, loop.node));
    close(other);
}

static void waits_for_exclusive_holders(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, MIB);
    loopdev_attach(&loop, false);
    int shared = open(loop.node, O_RDONLY | O_CLOEXEC);
    assert_int_equal(td_blockdev_wait_free(loop.node, 0, NULL), 0); /* readers do not hold it */
    int holder = open(loop.node, O_RDONLY | O_EXCL | O_CLOEXEC);
    assert_true(holder >= 0);
    int64_t begin = td_boot_ns();
    struct td_error err = {0};
    assert_int_equal(td_blockdev_wait_free(loop.node, 300, &err), -EBUSY);
    assert_true(td_boot_ns() - begin >= 300000000);
    close(holder);
    assert_int_equal(td_blockdev_wait_free(loop.node, 0, &err), 0);
    close(shared);
    assert_int_equal(td_blockdev_wait_free("/dev/no-such-device", 1000, NULL), -ENOENT);
}

/* A device of `size` bytes of zeros with one byte that is something else; -1: none. */
static int blank_with(uint64_t size, int64_t at) {
    struct td_blockdev device;
    loopdev_create(&loop, size);
    if (at >= 0) {
        int fd = open(loop.image, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "x", 1, at), 1);
        close(fd);
    }
    loopdev_attach(&loop, false);
    assert_int_equal(td_blockdev_from_node(loop.node, &device, NULL), 0);
    int blank = td_blockdev_is_blank(&device, NULL);
    loopdev_destroy(&loop);
    return blank;
}

static void tells_a_blank_disk(void **state) {
    (void)state;
    need_root();
    const int64_t mib = (int64_t)MIB, kib = 1024, size = 4096 * mib;
    static const uint64_t sizes[] = {512, 4096, 3 * MIB + 512, 17 * MIB, 4096 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(blank_with(sizes[i], -1), 1);
        if (sizes[i] > 512) /* a disk of nothing but x is as little blank, but no such byte is alone */
            assert_int_equal(blank_with(sizes[i], (int64_t)sizes[i] - 1), 0);
    }
    const int64_t places[] = {
        0,
        512,
        mib - 1,
        15 * mib, /* the beginning */
        8 * mib + kib + 56,
        24 * mib + kib + 56, /* ext4's copies, with blocks of 1 KiB, */
        32 * mib + 56,
        96 * mib + 56, /* 2 KiB, */
        128 * mib + 56,
        384 * mib + 56, /* and 4 KiB */
        640 * mib + 56,
        size - 33 * 512, /* and the second table of a GPT */
        size / 65 / 65536 * 65536,
        size / 65 * 64 / 65536 * 65536,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (blank_with((uint64_t)size, places[i]) != 0)
            fail_msg("a byte at %lld is not seen", (long long)places[i]);
}

static void blank_is_one_byte_all_over(void **state) {
    (void)state;
    need_root();
    static const struct {
        uint8_t first, second;
        int blank;
    } rows[] = {{0xff, 0xff, 1}, {0x00, 0xff, 0}, {0xff, 0x00, 0}, {0x55, 0x55, 0}};
    static uint8_t half[10 * MIB];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct td_blockdev device;
        loopdev_create(&loop, 2 * sizeof half);
        int fd = open(loop.image, O_WRONLY | O_CLOEXEC);
        memset(half, rows[i].first, sizeof half);
        assert_int_equal(pwrite(fd, half, sizeof half, 0), sizeof half);
        memset(half, rows[i].second, sizeof half);
        assert_int_equal(pwrite(fd, half, sizeof half, sizeof half), sizeof half);
        close(fd);
        loopdev_attach(&loop, false);
        assert_int_equal(td_blockdev_from_node(loop.node, &device, NULL), 0);
        assert_int_equal(td_blockdev_is_blank(&device, NULL), rows[i].blank);
        device.size += 512; /* what cannot be read */
        assert_true(td_blockdev_is_blank(&device, NULL) <= 0);
        loopdev_destroy(&loop);
    }
    struct td_blockdev none = {.node = "/dev/nonexistent", .size = MIB};
    assert_int_equal(td_blockdev_is_blank(&none, NULL), -ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(describes_a_loop_device, setup, teardown),
        cmocka_unit_test_setup_teardown(another_medium_has_another_diskseq, setup, teardown),
        cmocka_unit_test_setup_teardown(is_still_what_was_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_symlinks, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_is_no_device, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_without_device, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_partitions_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(no_partitions, setup, teardown),
        cmocka_unit_test_setup_teardown(locks_against_others, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_exclusive_holders, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_blank_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(blank_is_one_byte_all_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
