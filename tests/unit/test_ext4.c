#include "loopdev.h"

#include "twindock/base/sys.h"
#include "twindock/platform/blkid.h"
#include "twindock/platform/ext4.h"

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

static struct loopdev loop;
static struct td_ext4 super;
static uint8_t raw[TD_EXT4_SUPER_SIZE];

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

/* An image made with mkfs.ext4 and up to three arguments more. */
static void make(const char *one, const char *two, const char *three) {
    const char *more[3] = {one, two, three};
    loopdev_create(&loop, 64 * MIB);
    const char *args[6] = {"-q", "-F"};
    size_t count = 2;
    for (size_t i = 0; i < 3; i++)
        if (more[i])
            args[count++] = more[i];
    args[count] = loop.image;
    must_run("mkfs.ext4", args[0], args[1], args[2], count > 2 ? args[3] : NULL, count > 3 ? args[4] : NULL,
             count > 4 ? args[5] : NULL, NULL);
}

static void debugfs(const char *request) {
    must_run("debugfs", "-w", "-R", request, loop.image, NULL);
}

static void load(void) {
    int fd = open(loop.image, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got = pread(fd, raw, sizeof raw, TD_EXT4_SUPER_OFFSET);
    close(fd);
    assert_int_equal(got, sizeof raw);
    assert_int_equal(td_ext4_parse(raw, &super), 0);
}

/* mkfs with one feature list, and what twindock says to it. */
static const char *verdict_on(const char *features) {
    make("-O", features, NULL);
    load();
    loopdev_destroy(&loop);
    return td_ext4_refused(&super);
}

static void parses_a_real_one(void **state) {
    (void)state;
    make("-L", "sixteen bytes ok", NULL);
    must_run("tune2fs", "-U", UUID_A, loop.image, NULL);
    load();
    assert_string_equal(super.uuid, UUID_A);
    assert_string_equal(super.label, "sixteen bytes ok");
    assert_int_equal(super.inode_size, 256);
    assert_int_equal(super.blocks * super.block_size, 64 * MIB);
    assert_int_equal(super.state, 1);
    assert_false(super.errors || super.needs_recovery || super.orphans || super.checksum_bad);
    assert_false(super.external_journal || super.uid16 || super.odd_options);
    assert_null(td_ext4_refused(&super));
}

static void accepts_the_usual_features(void **state) {
    (void)state;
    assert_null(verdict_on("orphan_file,metadata_csum_seed")); /* Debian 13 */
    assert_null(verdict_on("^metadata_csum,^64bit"));
    assert_null(verdict_on("^flex_bg,meta_bg,^resize_inode"));
    assert_null(verdict_on("quota,project,bigalloc,large_dir"));
    assert_null(verdict_on("fast_commit"));
}

static void refuses_what_it_cannot_vouch_for(void **state) {
    (void)state;
    static const struct {
        const char *features, *words;
    } rows[] = {
        {"inline_data", "inline_data"}, {"encrypt", "encrypt"},           {"casefold", "casefold"},
        {"verity", "verity"},           {"ea_inode", "ea_inode"},         {"mmp", "mmp"},
        {"^has_journal", "no journal"}, {"^extent,^64bit", "no extents"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *words = verdict_on(rows[i].features);
        assert_non_null(words);
        assert_non_null(strstr(words, rows[i].words));
    }
}

static void refuses_small_inodes_and_journal_devices(void **state) {
    (void)state;
    make("-I", "128", NULL);
    load();
    assert_int_equal(super.inode_size, 128);
    assert_non_null(strstr(td_ext4_refused(&super), "128 bytes"));
    loopdev_destroy(&loop);

    make("-O", "journal_dev", NULL);
    load();
    assert_non_null(strstr(td_ext4_refused(&super), "journal_dev"));
    loopdev_destroy(&loop);

    make(NULL, NULL, NULL);
    load();
    super.external_journal = true;
    assert_non_null(strstr(td_ext4_refused(&super), "another device"));
    super.external_journal = false;
    assert_null(td_ext4_refused(&super));
    super.incompat |= 0x80000000;
    assert_non_null(strstr(td_ext4_refused(&super), "unknown"));
    super.incompat &= 0x7fffffff;
    super.ro_compat |= 0x80000000;
    assert_non_null(strstr(td_ext4_refused(&super), "unknown"));
}

static void stored_options(void **state) {
    (void)state;
    static const struct {
        const char *options;
        bool refused;
    } rows[] = {
        {"errors=panic", false},
        {"nobarrier,data=journal,commit=300", false},
        {"usrquota,grpid", false},
        {"noload", true},
        {"errors=panic,abort", true},
        {"nouid32", true},
        {"barrier,nobarrie", true},
        {"journal_async_commit", true},
        {",,", false},
        {"dax=always", true},
        {"comm", true},
        {"data", false},
    };
    make(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[200];
        snprintf(request, sizeof request, "set_super_value mount_opts \"%s\"", rows[i].options);
        debugfs(request);
        load();
        const char *words = td_ext4_refused(&super);
        assert_int_equal(words != NULL, rows[i].refused);
        assert_int_equal(super.odd_options, rows[i].refused);
    }
    /* Sixty-four bytes without an end are looked at as a whole. */
    memset(raw + 0x200, ',', 64);
    assert_int_equal(td_ext4_parse(raw, &super), 0);
    assert_false(super.odd_options);
    raw[0x200 + 63] = 'x';
    assert_int_equal(td_ext4_parse(raw, &super), 0);
    assert_true(super.odd_options);

    debugfs("set_super_value mount_opts \"\"");
    must_run("tune2fs", "-o", "uid16", loop.image, NULL);
    load();
    assert_true(super.uid16);
    assert_non_null(strstr(td_ext4_refused(&super), "16 bits"));
}

static void flags_of_trouble(void **state) {
    (void)state;
    make("-O", "^metadata_csum", NULL);
    debugfs("set_super_value state 3");
    load();
    assert_true(super.errors);
    debugfs("set_super_value state 1");
    load();
    assert_false(super.errors);
    debugfs("set_super_value error_count 5");
    load();
    assert_true(super.errors);
    debugfs("feature needs_recovery");
    load();
    assert_true(super.needs_recovery);
    debugfs("set_super_value last_orphan 12");
    load();
    assert_true(super.orphans);
}

static void its_checksum_is_checked(void **state) {
    (void)state;
    make(NULL, NULL, NULL);
    load();
    assert_false(super.checksum_bad);
    for (size_t at = 0x80; at < TD_EXT4_SUPER_SIZE; at += 97) {
        raw[at] ^= 0x10;
        if (td_ext4_parse(raw, &super) == 0) {
            assert_true(super.checksum_bad);
            assert_non_null(td_ext4_refused(&super));
        }
        raw[at] ^= 0x10;
    }
}

/* Put a little-endian number over a good superblock; what the parser says. */
static int parse_with(size_t at, size_t size, uint64_t value) {
    uint8_t damaged[TD_EXT4_SUPER_SIZE];
    memcpy(damaged, raw, sizeof damaged);
    for (size_t i = 0; i < size; i++)
        damaged[at + i] = (uint8_t)(value >> 8 * i);
    return td_ext4_parse(damaged, &super);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    make(NULL, NULL, NULL);
    load();
    assert_int_equal(parse_with(0x38, 2, 0x53ef), -EINVAL); /* magic */
    assert_int_equal(parse_with(0x18, 4, 7), -EINVAL);      /* 128 KiB blocks */
    assert_int_equal(parse_with(0x18, 4, 0xffffffff), -EINVAL);
    assert_int_equal(parse_with(0x18, 4, 6), 0);
    assert_int_equal(super.block_size, 65536);
    assert_int_equal(parse_with(0x58, 2, 0), -EINVAL); /* inode size */
    assert_int_equal(parse_with(0x58, 2, 300), -EINVAL);
    assert_int_equal(parse_with(0x58, 2, 32768), -EINVAL);
    assert_int_equal(parse_with(0x04, 4, 0), -EINVAL);           /* no blocks */
    assert_int_equal(parse_with(0x150, 4, 0xffffffff), -EINVAL); /* more than there can be */
    memset(raw, 0, sizeof raw);
    assert_int_equal(td_ext4_parse(raw, &super), -EINVAL);
    memset(raw, 0xff, sizeof raw);
    assert_int_equal(td_ext4_parse(raw, &super), -EINVAL);
}

static void reads_from_a_device(void **state) {
    (void)state;
    need_root();
    make("-U", UUID_A, NULL);
    loopdev_attach(&loop, false);
    assert_int_equal(td_ext4_read(loop.node, &super, NULL), 0);
    assert_string_equal(super.uuid, UUID_A);
    loopdev_detach(&loop);
    /* A regular file will do as well, and /tmp may know no O_DIRECT. */
    assert_int_equal(td_ext4_read(loop.image, &super, NULL), 0);
    assert_string_equal(super.uuid, UUID_A);
    struct td_error err = {0};
    assert_int_equal(td_ext4_read("/dev/zero", &super, &err), -EINVAL);
    assert_non_null(strstr(err.text, "/dev/zero"));
    assert_int_equal(td_ext4_read("/dev/no-such-device", &super, &err), -ENOENT);
    assert_int_equal(truncate(loop.image, 1500), 0);
    assert_int_equal(td_ext4_read(loop.image, &super, &err), -EINVAL);
}

static void sees_the_disk_and_not_the_cache(void **state) {
    (void)state;
    need_root();
    make("-U", UUID_A, "-b4096");
    loopdev_attach(&loop, false);
    int keep = open(loop.node, O_RDONLY | O_CLOEXEC); /* keeps the device's cache alive */
    assert_true(keep >= 0);
    uint8_t cached[4096];
    assert_int_equal(pread(keep, cached, sizeof cached, 0), sizeof cached);
    int fd = open(loop.image, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "changed", 7, TD_EXT4_SUPER_OFFSET + 0x78), 7);
    close(fd);
    assert_int_equal(td_ext4_read(loop.node, &super, NULL), 0);
    assert_string_equal(super.label, "changed");
    close(keep);
}

static void makes_a_filesystem(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 64 * MIB);
    /* What was there before must not shine through. */
    must_run("sh", "-c", "printf '_BHRfS_M' | dd of=$0 bs=1 seek=65600 conv=notrunc status=none", loop.image, NULL);
    must_run("sh", "-c", "printf 'label: gpt\\nsize=10MiB\\n' | sfdisk -q --wipe never $0", loop.image, NULL);
    loopdev_attach(&loop, true);
    struct td_ext4_format format = {.uuid = UUID_A, .label = "-dash first", .files = TD_FILES_LARGE};
    struct td_error err = {0};
    assert_int_equal(td_ext4_make(loop.node, &format, &err), 0);
    struct td_blockdev disk;
    struct td_filesystem fs;
    assert_int_equal(td_blockdev_from_node(loop.node, &disk, NULL), 0);
    assert_int_equal(td_blkid_find(&disk, NULL, NULL, &fs, NULL), 0);
    assert_string_equal(fs.type, "ext4");
    assert_string_equal(fs.uuid, UUID_A);
    assert_string_equal(fs.label, "-dash first");
    assert_false(fs.ambivalent || fs.partition_table);
    struct td_blockdev parts[4];
    assert_int_equal(td_blockdev_partitions(&disk, parts, 4, NULL), 0);
    assert_int_equal(td_ext4_read(loop.node, &super, NULL), 0);
    assert_null(td_ext4_refused(&super));
    must_run("sh", "-c", "dumpe2fs -h $0 2>/dev/null | grep -qx 'Reserved block count:  *0'", loop.node, NULL);
    must_run("sh", "-c", "dumpe2fs -h $0 2>/dev/null | grep -qx 'Inode count:  *64'", loop.node, NULL);
    must_run("e2fsck", "-fn", loop.node, NULL);
    format.files = TD_FILES_SMALL;
    assert_int_equal(td_ext4_make(loop.node, &format, &err), 0);
    must_run("sh", "-c", "dumpe2fs -h $0 2>/dev/null | grep -qx 'Inode count:  *16384'", loop.node, NULL);
}

/* All of it is there at once: nothing is left for the kernel to do behind the first run's back. */
static void leaves_nothing_to_initialise(void **state) {
    (void)state;
    need_root();
    loopdev_create(&loop, 400 * MIB);
    loopdev_attach(&loop, false);
    const struct td_ext4_format format = {.uuid = UUID_A, .label = "x"};
    struct td_error err = {0};
    assert_int_equal(td_ext4_make(loop.node, &format, &err), 0);
    must_run("sh", "-c", "dumpe2fs $0 2>/dev/null | grep '^Group [1-9]' | grep -q ITABLE_ZEROED", loop.node, NULL);
    must_run("sh", "-c", "! dumpe2fs $0 2>/dev/null | grep '^Group [0-9]' | grep -qv ITABLE_ZEROED", loop.node, NULL);
}

static void does_not_make_one_where_it_must_not(void **state) {
    (void)state;
    need_root();
    make("-U", UUID_A, NULL);
    loopdev_attach(&loop, false);
    uint64_t before = file_sum(loop.image);
    struct td_ext4_format format = {.uuid = UUID_A, .label = "seventeen bytes!!"};
    struct td_error err = {0};
    assert_int_equal(td_ext4_make(loop.node, &format, &err), -EINVAL);
    format.label = "ok";
    int holder = open(loop.node, O_RDONLY | O_EXCL | O_CLOEXEC);
    assert_int_equal(td_ext4_make(loop.node, &format, &err), -EBUSY);
    close(holder);
    assert_int_equal(file_sum(loop.image), before);
    format.uuid = "no uuid";
    assert_int_equal(td_ext4_make(loop.node, &format, &err), -EIO);
    assert_non_null(strstr(err.text, "mkfs.ext4"));
}

static void preens(void **state) {
    (void)state;
    need_root();
    make(NULL, NULL, NULL);
    int status = -1;
    struct td_error err = {0};
    loopdev_attach(&loop, false);
    assert_int_equal(td_ext4_preen(loop.node, NULL, &status, &err), 0);
    assert_int_equal(status, 0);
    loopdev_detach(&loop);

    /* A wrong count of free blocks is nothing; preening puts it right. */
    debugfs("set_super_value free_blocks_count 7");
    debugfs("set_super_value state 0");
    loopdev_attach(&loop, false);
    assert_int_equal(td_ext4_preen(loop.node, NULL, &status, &err), 0);
    assert_int_equal(status, 1);
    loopdev_detach(&loop);
    must_run("e2fsck", "-fn", loop.image, NULL);

    /* A root directory that is none needs a person. */
    debugfs("set_inode_field <2> mode 0100644");
    debugfs("set_super_value state 0");
    loopdev_attach(&loop, false);
    assert_int_equal(td_ext4_preen(loop.node, NULL, &status, &err), 0);
    assert_true(status >= 4);
    assert_non_null(strstr(err.text, loop.node));

    assert_int_equal(td_ext4_preen("/dev/no-such-device", NULL, &status, &err), 0);
    assert_int_equal(status, 8);
}

/* What e2fsck did is undone to the last byte, whether it gave up or not. */
static void a_preening_can_be_taken_back(void **state) {
    (void)state;
    need_root();
    char file[400];
    for (int broken = 0; broken < 2; broken++) {
        struct td_ext4_undo undo = {.file = file};
        struct td_error err = {0};
        int status = -1;
        make(broken ? "-b1024" : "-b4096", NULL, NULL);
        snprintf(file, sizeof file, "%s/undo", loop.directory);
        /* A journal as a power cut leaves it: the superblock alone says so, and e2fsck writes to it and more. */
        debugfs("set_super_value free_blocks_count 7");
        debugfs("feature needs_recovery");
        if (broken)
            debugfs("set_inode_field <2> mode 0100644");
        debugfs("set_super_value state 0");
        uint64_t before = file_sum(loop.image);
        loopdev_attach(&loop, false);
        assert_int_equal(td_ext4_preen(loop.node, &undo, &status, &err), 0);
        assert_int_equal(status >= 4, broken);
        assert_true(undo.kept);
        assert_int_not_equal(file_sum(loop.image), before);
        assert_int_equal(td_ext4_take_back(loop.node, &undo, &err), 0);
        td_ext4_forget(&undo);
        assert_int_equal(access(file, F_OK), -1);
        loopdev_detach(&loop);
        assert_int_equal(file_sum(loop.image), before);

        undo.file = "/proc/no/undo"; /* cannot be kept: not touched */
        loopdev_attach(&loop, false);
        assert_true(td_ext4_preen(loop.node, &undo, &status, &err) < 0);
        assert_false(undo.kept);
        assert_int_equal(td_ext4_take_back(loop.node, &undo, &err), 0);
        loopdev_detach(&loop);
        assert_int_equal(file_sum(loop.image), before);
        loopdev_destroy(&loop);
    }
}

static void random_uuids(void **state) {
    (void)state;
    char one[37], two[37];
    assert_int_equal(td_uuid_random(one, NULL), 0);
    assert_int_equal(td_uuid_random(two, NULL), 0);
    assert_int_equal(strlen(one), 36);
    assert_string_not_equal(one, two);
    assert_int_equal(one[14], '4');
    assert_non_null(strchr("89ab", one[19]));
    assert_int_equal(strspn(one, "0123456789abcdef-"), 36);
    assert_true(one[8] == '-' && one[13] == '-' && one[18] == '-' && one[23] == '-');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(parses_a_real_one, teardown),
        cmocka_unit_test_teardown(accepts_the_usual_features, teardown),
        cmocka_unit_test_teardown(refuses_what_it_cannot_vouch_for, teardown),
        cmocka_unit_test_teardown(refuses_small_inodes_and_journal_devices, teardown),
        cmocka_unit_test_teardown(stored_options, teardown),
        cmocka_unit_test_teardown(flags_of_trouble, teardown),
        cmocka_unit_test_teardown(its_checksum_is_checked, teardown),
        cmocka_unit_test_teardown(nonsense_is_refused, teardown),
        cmocka_unit_test_teardown(reads_from_a_device, teardown),
        cmocka_unit_test_teardown(sees_the_disk_and_not_the_cache, teardown),
        cmocka_unit_test_teardown(makes_a_filesystem, teardown),
        cmocka_unit_test_teardown(leaves_nothing_to_initialise, teardown),
        cmocka_unit_test_teardown(does_not_make_one_where_it_must_not, teardown),
        cmocka_unit_test_teardown(preens, teardown),
        cmocka_unit_test_teardown(a_preening_can_be_taken_back, teardown),
        cmocka_unit_test_teardown(random_uuids, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
