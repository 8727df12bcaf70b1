#include "loopdev.h"

#include "twindock/base/sys.h"
#include "twindock/platform/blkid.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define UUID_A "18e61a61-6502-4510-8086-0065d1917f97"
#define UUID_B "c54d93c9-6502-4510-8086-7395b84d22d7"

static struct loopdev loop;
static struct td_blockdev disk;
static struct td_filesystem fs;

static int teardown(void **state) {
    (void)state;
    td_sys = td_libc;
    loopdev_destroy(&loop);
    return 0;
}

static void need_root(void) {
    if (geteuid() != 0)
        skip();
}

static void attach(bool partitions) {
    loopdev_attach(&loop, partitions);
    assert_int_equal(td_blockdev_from_node(loop.node, &disk, NULL), 0);
}

static void make_ext4(const char *node, const char *uuid, const char *label) {
    must_run("mkfs.ext4", "-q", "-F", "-U", uuid, "-L", label, node, NULL);
}

static bool wants(const void *ctx, const char *uuid) {
    return strcmp(ctx, uuid) == 0;
}

static void finds_ext4_on_the_whole_disk(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 16 * MIB);
    make_ext4(loop.image, UUID_A, "Muse\xff ");
    attach(false);
    assert_int_equal(td_blkid_probe(&disk, &fs, NULL), 0);
    assert_string_equal(fs.type, "ext4");
    assert_string_equal(fs.uuid, UUID_A);
    assert_string_equal(fs.label, "Muse\xff ");
    assert_false(fs.partition_table);
    assert_false(fs.ambivalent);
    assert_int_equal(fs.device.number, disk.number);
    assert_int_equal(td_blkid_find(&disk, wants, UUID_B, &fs, NULL), 0);
    assert_string_equal(fs.uuid, UUID_A);
}

static void an_empty_disk_is_nothing(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 16 * MIB);
    attach(false);
    assert_int_equal(td_blkid_find(&disk, NULL, NULL, &fs, NULL), 0);
    assert_string_equal(fs.type, "");
    assert_string_equal(fs.uuid, "");
    assert_false(fs.partition_table || fs.ambivalent);
    assert_string_equal(fs.device.node, loop.node);
}

static void no_medium_is_nothing(void **state) {
    (void)state;
    struct td_blockdev empty = {.node = "/dev/no-such-device"};
    assert_int_equal(td_blkid_probe(&empty, &fs, NULL), 0);
    assert_string_equal(fs.type, "");
}

static void other_filesystems_have_names(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 16 * MIB);
    must_run("mkswap", "-U", UUID_A, "-L", "swapping", loop.image, NULL);
    attach(false);
    assert_int_equal(td_blkid_probe(&disk, &fs, NULL), 0);
    assert_string_equal(fs.type, "swap");
    assert_string_equal(fs.label, "swapping");
}

/* A disk with the partitions that sfdisk is told of. */
static void make_partitioned(const char *lines) {
    loopdev_create(&loop, 64 * MIB);
    char command[600];
    snprintf(command, sizeof command, "printf 'label: gpt\\n%s' | sfdisk -q %s", lines, loop.image);
    must_run("sh", "-c", command, NULL);
}

static void make_on_partition(int number, const char *uuid, const char *label) {
    char node[TD_NODE_MAX + 16];
    snprintf(node, sizeof node, "%sp%d", loop.node, number);
    make_ext4(node, uuid, label);
}

static void looks_into_partitions(void **state) {
    (void)state;
    need_root();
    make_partitioned("size=10MiB\\nsize=20MiB\\nsize=25MiB\\n");
    attach(true);
    make_on_partition(1, UUID_A, "small");
    make_on_partition(2, UUID_B, "large");
    char node[TD_NODE_MAX + 16];

    /* The largest one that holds a filesystem; the third holds none. */
    assert_int_equal(td_blkid_find(&disk, NULL, NULL, &fs, NULL), 0);
    snprintf(node, sizeof node, "%sp2", loop.node);
    assert_string_equal(fs.device.node, node);
    assert_string_equal(fs.uuid, UUID_B);
    assert_true(fs.partition_table);
    assert_false(fs.ambivalent);

    /* The one that is wanted, though smaller. */
    assert_int_equal(td_blkid_find(&disk, wants, UUID_A, &fs, NULL), 0);
    snprintf(node, sizeof node, "%sp1", loop.node);
    assert_string_equal(fs.device.node, node);
    assert_string_equal(fs.label, "small");
    assert_false(fs.ambivalent);

    /* Wanted and there twice: not to be trusted. */
    make_on_partition(3, UUID_A, "again");
    assert_int_equal(td_blkid_find(&disk, wants, UUID_A, &fs, NULL), 0);
    assert_true(fs.ambivalent);
}

static void partition_table_without_nodes(void **state) {
    (void)state;
    need_root();
    make_partitioned("size=10MiB\\nsize=20MiB\\n");
    attach(false);
    assert_int_equal(td_blkid_find(&disk, wants, UUID_A, &fs, NULL), 0);
    assert_string_equal(fs.type, "");
    assert_true(fs.partition_table);
    assert_string_equal(fs.device.node, loop.node);
}

static void two_signatures_are_ambivalent(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 64 * MIB);
    make_ext4(loop.image, UUID_A, "ext");
    /* What a btrfs left behind at 64 KiB, where mkfs.ext4 need not have written. */
    must_run("sh", "-c", "printf '_BHRfS_M' | dd of=$0 bs=1 seek=65600 conv=notrunc status=none", loop.image, NULL);
    attach(false);
    assert_int_equal(td_blkid_probe(&disk, &fs, NULL), 0);
    assert_true(fs.ambivalent);
    assert_string_not_equal(fs.type, "");

    /* And wiping leaves nothing of either. */
    assert_int_equal(td_blkid_wipe(loop.node, NULL), 0);
    assert_int_equal(td_blkid_probe(&disk, &fs, NULL), 0);
    assert_false(fs.ambivalent);
    assert_string_equal(fs.type, "");
}

static void filesystem_beneath_a_partition_table(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 64 * MIB);
    make_ext4(loop.image, UUID_A, "ext");
    must_run("sh", "-c", "printf 'label: dos\\nsize=10MiB\\n' | sfdisk -q --force --wipe never $0", loop.image, NULL);
    attach(false);
    assert_int_equal(td_blkid_find(&disk, wants, UUID_A, &fs, NULL), 0);
    assert_true(fs.ambivalent);
    assert_int_equal(td_blkid_wipe(loop.node, NULL), 0);
    assert_int_equal(td_blkid_find(&disk, NULL, NULL, &fs, NULL), 0);
    assert_string_equal(fs.type, "");
    assert_false(fs.partition_table);
}

static void a_used_device_is_not_wiped(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 16 * MIB);
    make_ext4(loop.image, UUID_A, "ext");
    attach(false);
    int holder = open(loop.node, O_RDONLY | O_EXCL | O_CLOEXEC);
    assert_true(holder >= 0);
    assert_int_equal(td_blkid_wipe(loop.node, NULL), -EBUSY);
    close(holder);
    assert_int_equal(td_blkid_probe(&disk, &fs, NULL), 0);
    assert_string_equal(fs.uuid, UUID_A);
}

static ssize_t pread_eio(int fd, void *data, size_t len, off_t offset) {
    (void)fd, (void)data, (void)len, (void)offset;
    errno = EIO;
    return -1;
}

static void an_unreadable_disk_is_an_error(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 16 * MIB);
    make_ext4(loop.image, UUID_A, "ext");
    attach(false);
    struct td_error err = {0};
    td_sys.pread = pread_eio;
    assert_int_equal(td_blkid_probe(&disk, &fs, &err), -EIO);
    assert_non_null(strstr(err.text, loop.node));
    assert_string_equal(fs.type, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(finds_ext4_on_the_whole_disk, teardown),
        cmocka_unit_test_teardown(an_empty_disk_is_nothing, teardown),
        cmocka_unit_test_teardown(no_medium_is_nothing, teardown),
        cmocka_unit_test_teardown(other_filesystems_have_names, teardown),
        cmocka_unit_test_teardown(looks_into_partitions, teardown),
        cmocka_unit_test_teardown(partition_table_without_nodes, teardown),
        cmocka_unit_test_teardown(two_signatures_are_ambivalent, teardown),
        cmocka_unit_test_teardown(filesystem_beneath_a_partition_table, teardown),
        cmocka_unit_test_teardown(a_used_device_is_not_wiped, teardown),
        cmocka_unit_test_teardown(an_unreadable_disk_is_an_error, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
