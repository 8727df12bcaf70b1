#include "loopdev.h"

#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/io.h"
#include "twindock/platform/ext4.h"
#include "twindock/platform/mount.h"
#include "twindock/platform/write_protection.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static struct loopdev loop, copy; /* `copy`: what the disk would hold if power were cut */
static struct td_blockdev device;
static struct td_error err;

static int setup(void **state) {
    (void)state;
    err = (struct td_error){0};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loopdev_destroy(&loop);
    loopdev_destroy(&copy);
    return 0;
}

static void attach(struct loopdev *which) {
    loopdev_attach(which, false);
    assert_int_equal(td_blockdev_from_node(which->node, &device, NULL), 0);
}

/* A new ext4, attached; features as for mkfs -O. */
static void make(const char *features) {
    if (geteuid() != 0)
        skip();
    loopdev_create(&loop, 64 * MIB);
    must_run("mkfs.ext4", "-q", "-F", "-O", features, loop.image, NULL);
    attach(&loop);
}

static int mount_it(bool read_only) {
    int root = td_mount_ext4(&device, read_only, &err);
    if (root < 0)
        print_error("%s\n", err.text);
    assert_true(root >= 0);
    return root;
}

/* Cut the power: copy the image as it is now, and attach the copy in place of `device`. */
static void cut_power(void) {
    loopdev_create(&copy, 0);
    must_run("cp", "--sparse=always", loop.image, copy.image, NULL);
    attach(&copy);
}

static int create_file(int root, const char *name, const char *text) {
    int fd = td_open_beneath(root, name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd >= 0)
        assert_int_equal(td_write_all(fd, text, strlen(text)), 0);
    return fd;
}

static void assert_option(const char *option) {
    TD_AUTOBUF struct td_buf text = {0};
    char path[TD_NODE_MAX + 40], line[64];
    snprintf(path, sizeof path, "/proc/fs/ext4/%s/options", device.sysname);
    assert_int_equal(td_read_small(AT_FDCWD, path, 8192, &text, NULL), 0);
    snprintf(line, sizeof line, "\n%s\n", option);
    if (!strstr(td_buf_text(&text), line))
        fail_msg("no %s in: %s", option, td_buf_text(&text));
}

static void everything_works_below_the_root_alone(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    assert_int_equal(fcntl(root, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(fcntl(root, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(mkdirat(root, "a", 0700), 0);
    close(create_file(root, "a/file", "text"));
    assert_int_equal(renameat2(root, "a/file", root, "b", RENAME_NOREPLACE), 0);
    assert_int_equal(linkat(root, "b", root, "a/c", 0), 0);

    int unnamed = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(unnamed >= 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", unnamed);
    assert_int_equal(linkat(AT_FDCWD, path, root, "d", AT_SYMLINK_FOLLOW), 0);
    close(unnamed);

    int dir = td_open_beneath(root, "a", O_RDONLY | O_DIRECTORY, 0);
    assert_true(dir >= 0);
    close(root); /* anything below holds it too */
    int file = td_open_beneath(dir, "c", O_RDONLY, 0);
    char text[8] = "";
    assert_int_equal(read(file, text, sizeof text), 4);
    assert_string_equal(text, "text");
    assert_int_equal(fsync(file), 0);
    close(file);
    assert_int_equal(td_blockdev_wait_free(device.node, 0, NULL), -EBUSY);
    close(dir);
    assert_int_equal(td_blockdev_wait_free(device.node, 0, NULL), 0); /* at once */
    must_run("e2fsck", "-fn", loop.node, NULL);
}

static void attributes_hold(void **state) {
    (void)state;
    make("orphan_file");
    for (int read_only = 0; read_only <= 1; read_only++) {
        int root = mount_it(read_only);
        struct statvfs fs;
        assert_int_equal(fstatvfs(root, &fs), 0);
        unsigned long wanted = ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME;
        assert_int_equal(fs.f_flag & wanted, wanted);
        assert_int_equal((fs.f_flag & ST_RDONLY) != 0, read_only);
        if (!read_only) {
            assert_int_equal(symlinkat("lost+found", root, "link"), 0);
            close(create_file(root, "program", "#!/bin/true\n"));
            assert_int_equal(fchmodat(root, "program", 0755, 0), 0);
        }
        assert_int_equal(openat(root, "link", O_RDONLY | O_CLOEXEC), -1); /* nosymfollow, even with plain openat */
        assert_int_equal(errno, ELOOP);
        assert_int_equal(faccessat(root, "program", X_OK, 0), -1);
        close(root);
    }
}

static void it_is_in_no_tree(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    TD_AUTOBUF struct td_buf mounts = {0};
    assert_int_equal(td_read_small(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &mounts, NULL), 0);
    char needle[TD_NODE_MAX + 4];
    snprintf(needle, sizeof needle, " %s ", loop.node);
    assert_null(strstr(td_buf_text(&mounts), needle));
    close(root);
}

static void a_killed_program_leaves_nothing(void **state) {
    (void)state;
    make("orphan_file");
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int root = td_mount_ext4(&device, false, NULL);
        int file = root >= 0 ? td_open_beneath(root, "half", O_CREAT | O_RDWR, 0600) : -1;
        char sign = file >= 0 ? 'y' : 'n';
        if (write(ready[1], &sign, 1) == 1)
            pause();
        _exit(1);
    }
    char sign = 0;
    assert_int_equal(read(ready[0], &sign, 1), 1);
    assert_int_equal(sign, 'y');
    close(ready[0]);
    close(ready[1]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(td_blockdev_wait_free(device.node, 2000, NULL), 0);
    must_run("e2fsck", "-fn", loop.node, NULL);
}

static void stored_options_are_overridden(void **state) {
    (void)state;
    make("orphan_file");
    loopdev_detach(&loop);
    must_run("debugfs", "-w", "-R",
             "set_super_value mount_opts \"errors=panic,nobarrier,data=writeback,commit=300,grpid,usrquota\"",
             loop.image, NULL);
    must_run("tune2fs", "-e", "panic", "-o", "journal_data,nobarrier,bsdgroups", loop.image, NULL);
    attach(&loop);
    for (int read_only = 0; read_only <= 1; read_only++) {
        int root = mount_it(read_only);
        assert_option("errors=remount-ro");
        assert_option("barrier");
        assert_option("commit=5");
        assert_option("nogrpid");
        assert_option("noquota");
        assert_option(read_only ? "norecovery" : "data=ordered");
        close(root);
    }
}

static void stored_options_of_tune2fs(void **state) {
    (void)state;
    make("orphan_file");
    loopdev_detach(&loop);
    must_run("tune2fs", "-E", "mount_opts=errors=panic", loop.image, NULL);
    attach(&loop);
    int root = mount_it(true);
    assert_option("errors=remount-ro");
    close(root);
    root = mount_it(false);
    assert_option("errors=remount-ro");
    close(root);
}

static void read_only_writes_nothing(void **state) {
    (void)state;
    make("orphan_file");
    close(mount_it(false));
    uint64_t before = file_sum(loop.image);
    int root = mount_it(true);
    assert_int_equal(create_file(root, "new", ""), -EROFS);
    int dir = openat(root, "lost+found", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    close(dir);
    close(root);
    loopdev_detach(&loop);
    assert_int_equal(file_sum(loop.image), before);
}

/* With a journal to replay and a file that was deleted while open: the kernel would clean up even read-only. */
static void dirty_disk(const char *features) {
    make(features);
    int root = mount_it(false);
    int gone = create_file(root, "gone", "still open");
    assert_true(gone >= 0);
    assert_int_equal(ftruncate(gone, 3 * MIB), 0);
    assert_int_equal(unlinkat(root, "gone", 0), 0);
    assert_int_equal(td_mount_checkpoint(root, NULL), 0); /* the orphan is on the disk */
    close(create_file(root, "later", "in the journal only"));
    assert_int_equal(fsync(root), 0);
    cut_power();
    close(gone);
    close(root);

    struct td_ext4 super;
    assert_int_equal(td_ext4_read(copy.node, &super, NULL), 0);
    assert_true(super.needs_recovery);
    assert_true(super.orphans);
    uint64_t before = file_sum(copy.image);
    root = mount_it(true);
    close(root);
    int on = 1, fd = open(copy.node, O_RDONLY | O_CLOEXEC);
    assert_int_equal(ioctl(fd, BLKROGET, &on), 0);
    close(fd);
    assert_int_equal(on, 0); /* the protection is taken back */
    loopdev_detach(&copy);
    assert_int_equal(file_sum(copy.image), before);

    attach(&copy); /* and afterwards it is repaired and used as ever */
    int status;
    assert_int_equal(td_ext4_preen(copy.node, NULL, &status, NULL), 0);
    assert_in_range(status, 0, 1);
    root = mount_it(false);
    assert_int_equal(faccessat(root, "later", F_OK, 0), 0);
    close(root);
    must_run("e2fsck", "-fn", copy.node, NULL);
}

/* Coming upon damage, a read-only ext4 notes it in the superblock. On a device that cannot be written it cannot. */
static void a_protected_device_keeps_damage_unnoted(void **state) {
    struct td_write_protection hold;
    (void)state;
    make("metadata_csum");
    must_run("debugfs", "-w", "-R", "mkdir box", loop.image, NULL);
    loopdev_detach(&loop);
    must_run("debugfs", "-w", "-R", "sif box checksum 1", loop.image, NULL);
    uint64_t before = file_sum(loop.image);
    attach(&loop);
    int root = td_mount_read_only(&device, &hold, &err);
    assert_true(root >= 0);
    assert_int_equal(td_open_beneath(root, "box", O_RDONLY | O_DIRECTORY, 0), -EBADMSG);
    close(root);
    assert_int_equal(td_blockdev_wait_free(device.node, 5000, NULL), 0);
    td_write_protect_end(&hold);
    assert_int_equal(td_blockdev_is_protected(device.node), 0);
    loopdev_detach(&loop);
    assert_true(before == file_sum(loop.image));
    attach(&loop);
    close(mount_it(false)); /* and it can be written again */
}

static void read_only_leaves_orphans(void **state) {
    (void)state;
    dirty_disk("^orphan_file");
}

static void read_only_leaves_orphan_files(void **state) {
    (void)state;
    dirty_disk("orphan_file");
}

static void checkpoint_makes_it_visible_without_replay(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    close(create_file(root, "before", "proof"));
    assert_int_equal(td_mount_checkpoint(root, &err), 0);
    close(create_file(root, "after", "in the journal only"));
    assert_int_equal(fsync(root), 0);
    cut_power();
    close(root);
    root = mount_it(true);
    TD_AUTOBUF struct td_buf text = {0};
    assert_int_equal(td_read_small(root, "before", 100, &text, NULL), 0);
    assert_string_equal(td_buf_text(&text), "proof");
    /* What makes this a test: without a checkpoint it is not to be seen. */
    assert_int_equal(faccessat(root, "after", F_OK, 0), -1);
    close(root);
}

static void checkpoint_empties_the_journal(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    close(create_file(root, "before", "proof"));
    assert_int_equal(td_mount_checkpoint(root, &err), 0);
    cut_power();
    close(root);
    must_run("sh", "-c", "dumpe2fs -h $0 2>/dev/null | grep -qx 'Journal start:  *0'", copy.node, NULL);
}

static void checkpoint_elsewhere_is_an_error(void **state) {
    (void)state;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(td_mount_checkpoint(proc, &err), -EOPNOTSUPP);
    close(proc);
}

static void a_mounted_device_is_not_shared(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    assert_int_equal(td_mount_ext4(&device, false, &err), -EBUSY);
    assert_non_null(strstr(err.text, device.node));
    assert_int_equal(td_mount_ext4(&device, true, &err), -EBUSY);
    close(root);
}

static void twins_mount_together(void **state) {
    (void)state;
    make("orphan_file");
    struct td_blockdev first = device;
    cut_power(); /* nothing was mounted: just a copy with the same UUID */
    int one = td_mount_ext4(&first, false, &err), two = td_mount_ext4(&device, false, &err);
    assert_true(one >= 0 && two >= 0);
    close(create_file(one, "one", ""));
    assert_int_equal(faccessat(two, "one", F_OK, 0), -1);
    close(one);
    close(two);
}

static void wait_free(void) {
    assert_int_equal(td_blockdev_wait_free(device.node, 2000, NULL), 0);
}

/* ext4 notes each fault that it meets in the superblock, also of a filesystem that is mounted read-only: when it is
 * mounted (the root directory's inode is gone), and later (a directory's block is damaged). Not on a disk of ours. */
static void read_only_notes_no_faults(void **state) {
    (void)state;
    struct td_write_protection hold;
    make("orphan_file");
    int root = mount_it(false);
    assert_int_equal(mkdirat(root, "d", 0755), 0);
    close(root);
    wait_free();
    loopdev_detach(&loop);
    must_run("sh", "-c",
             "b=$(debugfs -R 'blocks /d' $0 2>/dev/null | tr -d ' \n') && s=$(dumpe2fs -h $0 2>/dev/null | sed -n "
             "'s/^Block size: *//p') && printf garbage | dd of=$0 bs=1 seek=$((b * s + 40)) conv=notrunc status=none",
             loop.image, NULL);
    uint64_t before = file_sum(loop.image);
    attach(&loop);
    root = td_mount_read_only(&device, &hold, &err);
    assert_true(root >= 0);
    assert_int_equal(td_blockdev_is_protected(loop.node), 1);
    int dir = openat(root, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    char entries[4096];
    assert_true(syscall(SYS_getdents64, dir, entries, sizeof entries) < 0);
    close(dir);
    close(root);
    wait_free();
    td_write_protect_end(&hold);
    assert_int_equal(td_blockdev_is_protected(loop.node), 0);
    loopdev_detach(&loop);
    assert_int_equal(file_sum(loop.image), before);

    must_run("debugfs", "-w", "-R", "clri <2>", loop.image, NULL);
    before = file_sum(loop.image);
    attach(&loop);
    assert_true(td_mount_read_only(&device, &hold, &err) < 0);
    assert_int_equal(td_blockdev_is_protected(loop.node), 0);
    assert_true(td_mount_ext4(&device, true, &err) < 0);
    loopdev_detach(&loop);
    assert_int_equal(file_sum(loop.image), before);
}

static void a_protected_device_says_so(void **state) {
    (void)state;
    make("orphan_file");
    must_run("blockdev", "--setro", loop.node, NULL);
    int rc = td_mount_ext4(&device, false, &err);
    int root = td_mount_ext4(&device, true, NULL);
    must_run("blockdev", "--setrw", loop.node, NULL);
    assert_true(rc == -EACCES || rc == -EROFS);
    assert_non_null(strstr(err.text, "write-protected"));
    assert_true(root >= 0);
    close(root);
}

/* A process that is killed while it makes a read-only mount leaves the flag behind, and with it a note. */
static void what_a_killed_process_protected_is_freed(void **state) {
    (void)state;
    struct td_write_protection protection;
    make("orphan_file");
    pid_t child = fork();
    if (child == 0) {
        td_write_protect(&device, &protection);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(td_blockdev_is_protected(loop.node), 1);
    int root = td_mount_ext4(&device, false, &err);
    assert_true(root >= 0);
    close(root);
    assert_int_equal(td_blockdev_is_protected(loop.node), 0);
}

static void a_living_process_keeps_its_protection(void **state) {
    (void)state;
    struct td_write_protection protection;
    make("orphan_file");
    assert_int_equal(td_write_protect(&device, &protection), 0);
    td_write_protect_recover(&device);
    assert_int_equal(td_blockdev_is_protected(loop.node), 1);
    td_write_protect_end(&protection);
    assert_int_equal(td_blockdev_is_protected(loop.node), 0);
    must_run("blockdev", "--setro", loop.node, NULL); /* somebody else's stays */
    assert_int_equal(td_write_protect(&device, &protection), 0);
    td_write_protect_end(&protection);
    int still = td_blockdev_is_protected(loop.node);
    must_run("blockdev", "--setrw", loop.node, NULL);
    assert_int_equal(still, 1);
}

static void the_kernels_reason_is_told(void **state) {
    (void)state;
    make("^has_journal");
    assert_int_equal(td_mount_ext4(&device, false, &err), -EINVAL);
    if (access("/dev/kmsg", R_OK) == 0)
        assert_non_null(strstr(err.text, "w/o journal"));
    struct td_blockdev other = device;
    int fd = open(loop.node, O_RDWR | O_CLOEXEC);
    uint8_t zeros[4096] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    assert_int_equal(td_mount_ext4(&other, true, &err), -EINVAL);
    assert_int_equal(td_mount_ext4(&other, false, &err), -EINVAL);
    assert_non_null(strstr(err.text, other.node));
}

static void another_device_in_its_place_is_noticed(void **state) {
    (void)state;
    make("orphan_file");
    device.number = makedev(240, 77);
    assert_int_equal(td_mount_ext4(&device, true, &err), -ENODEV);
    assert_int_equal(td_blockdev_wait_free(device.node, 0, NULL), 0);
}

static void knows_mount_points(void **state) {
    (void)state;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below = open("/proc/self", O_PATH | O_CLOEXEC);
    assert_int_equal(td_mount_is_root(proc), 1);
    assert_int_equal(td_mount_is_root(below), 0);
    assert_int_equal(td_mount_is_root(-1), -EBADF);
    close(proc);
    close(below);
}

static void tells_the_room(void **state) {
    (void)state;
    make("orphan_file");
    int root = mount_it(false);
    uint64_t total = 0, available = 0, later = 0;
    assert_int_equal(td_mount_space(root, &total, &available, NULL), 0);
    assert_in_range(total, 40 * MIB, 64 * MIB);
    assert_in_range(available, 30 * MIB, total);
    int fd = td_open_beneath(root, "ballast", O_CREAT | O_RDWR, 0600);
    assert_int_equal(fallocate(fd, 0, 0, 10 * MIB), 0);
    close(fd);
    assert_int_equal(td_mount_space(root, &total, &later, NULL), 0);
    assert_in_range(available - later, 10 * MIB, 11 * MIB);
    close(root);
}

static void knows_what_is_mounted(void **state) {
    (void)state;
    struct stat st;
    assert_int_equal(stat("/proc", &st), 0);
    assert_true(td_mount_in_use(st.st_dev));
    assert_false(td_mount_in_use(makedev(4095, 1048575)));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(everything_works_below_the_root_alone),
        TEST(attributes_hold),
        TEST(it_is_in_no_tree),
        TEST(a_killed_program_leaves_nothing),
        TEST(stored_options_are_overridden),
        TEST(stored_options_of_tune2fs),
        TEST(read_only_writes_nothing),
        TEST(read_only_leaves_orphans),
        TEST(a_protected_device_keeps_damage_unnoted),
        TEST(read_only_leaves_orphan_files),
        TEST(checkpoint_makes_it_visible_without_replay),
        TEST(checkpoint_empties_the_journal),
        TEST(checkpoint_elsewhere_is_an_error),
        TEST(a_mounted_device_is_not_shared),
        TEST(twins_mount_together),
        TEST(read_only_notes_no_faults),
        TEST(a_protected_device_says_so),
        TEST(what_a_killed_process_protected_is_freed),
        TEST(a_living_process_keeps_its_protection),
        TEST(the_kernels_reason_is_told),
        TEST(another_device_in_its_place_is_noticed),
        TEST(knows_mount_points),
        TEST(tells_the_room),
        TEST(knows_what_is_mounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
