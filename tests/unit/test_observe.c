/* dock/observe.h on real loop devices with real filesystems: what is seen, and that not a byte is written. */
#include "loopdev.h"

#include "twindock/base/clock.h"
#include "twindock/base/sys.h"
#include "twindock/dock/card.h"
#include "twindock/dock/observe.h"
#include "twindock/dock/verdict.h"
#include "twindock/platform/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (16 * MIB)
#define UUID_M "18e61a61-6502-6510-8086-0065d1917f97"
#define UUID_X "0cfdeff4-6502-6510-8086-145408f4e658"

static struct loopdev a, b;
static struct td_pair pair;
static struct td_dock_config dock;
static struct td_observation seen;
static struct td_error err;
static char link_path[320];

/* Drives behind the loop devices: IDENTIFY DEVICE is answered with a serial made of what the test has put here, and
 * the count of questions so far when it is to change each time. */
static struct {
    const char *serial[TD_SLOTS];
    bool fickle[TD_SLOTS];
    int asked;
    const char *exchange; /* the image that comes under the second device while it is asked */
} drives;

static void put(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text);
}

static int setup(void **state) {
    (void)state;
    err = (struct td_error){0};
    pair = (struct td_pair){.generation = 3, .intent = 3};
    put(pair.uuid, sizeof(pair.uuid), UUID_M);
    put(pair.collection, sizeof(pair.collection), "M");
    for (int i = 0; i < 2; i++) {
        pair.members[i] = (struct td_member){.letter = "AB"[i], .size = SIZE, .generation = 3};
        memset(pair.members[i].token, "ab"[i], TD_TOKEN_MAX - 1);
    }
    dock = (struct td_dock_config){.name = "test", .source = a.node, .destination = b.node};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (link_path[0] != '\0')
        unlink(link_path);
    link_path[0] = '\0';
    td_sys = td_libc;
    memset(&drives, 0, sizeof(drives));
    loopdev_destroy(&a);
    loopdev_destroy(&b);
    return 0;
}

static void need_root(void) {
    if (geteuid() != 0)
        skip();
}

static struct td_card card_of(int member) {
    struct td_card card = {.member = "AB"[member], .generation = 3, .host = "test"};
    put(card.pair, sizeof(card.pair), UUID_M);
    put(card.collection, sizeof(card.collection), "M");
    put(card.token, sizeof(card.token), pair.members[member].token);
    return card;
}

/* A read-write mount of what is on a node; close it to unmount. */
static int mount_rw(const char *node) {
    struct td_blockdev device;
    assert_int_equal(td_blockdev_from_node(node, &device, &err), 0);
    int root = td_mount_ext4(&device, false, &err);
    if (root < 0)
        fail_msg("%s", err.text);
    return root;
}

static void unmount(int root, const char *node) {
    assert_int_equal(syncfs(root), 0);
    close(root);
    assert_int_equal(td_blockdev_wait_free(node, 5000, &err), 0);
}

static void write_card(const char *node, int member) {
    struct td_card card = card_of(member);
    int root = mount_rw(node);
    assert_int_equal(td_card_write(root, &card, &err), 0);
    unmount(root, node);
}

static void make_ext4(struct loopdev *loop, const char *uuid) {
    loopdev_create(loop, SIZE);
    must_run("mkfs.ext4", "-q", "-F", "-I", "256", "-U", uuid, "-L", "label", loop->image, NULL);
    loopdev_attach(loop, false);
}

static void make_member(struct loopdev *loop, int member) {
    make_ext4(loop, UUID_M);
    write_card(loop->node, member);
}

static void observe(void) {
    if (td_observe(&dock, &pair, 1, &seen, &err) != 0)
        fail_msg("%s", err.text);
}

static void put_swapped(uint8_t *reply, size_t at, size_t len, const char *text) {
    for (size_t i = 0; i < len; i++)
        reply[at + (i ^ 1)] = i < strlen(text) ? (uint8_t)text[i] : ' ';
}

static int answer(int fd, unsigned long request, void *header) {
    struct stat st, first;
    sg_io_hdr_t *io = header;
    if (request != SG_IO || io->cmdp[0] != 0x85 || fstat(fd, &st) != 0) {
        errno = EINVAL;
        return -1;
    }
    int s = stat(a.node, &first) == 0 && first.st_rdev == st.st_rdev ? 0 : 1;
    char serial[32];
    if (s == 1 && drives.exchange != NULL) {
        int other = open(drives.exchange, O_RDONLY | O_CLOEXEC);
        assert_int_equal(ioctl(fd, LOOP_CHANGE_FD, other), 0);
        close(other);
        drives.exchange = NULL;
    }
    if (drives.serial[s] == NULL) {
        errno = EINVAL;
        return -1;
    }
    snprintf(serial, sizeof(serial), drives.fickle[s] ? "%s%d" : "%s", drives.serial[s], drives.asked++);
    memset(io->dxferp, 0, io->dxfer_len);
    put_swapped(io->dxferp, 20, 20, serial);
    put_swapped(io->dxferp, 54, 40, "TEST DRIVE");
    io->status = 0;
    io->resid = 0;
    return 0;
}

static enum td_verdict verdict(void) {
    const struct td_policy policy = {.prove_every = 4};
    return td_judge_dock(&seen, &pair, 1, &policy).verdict;
}

static void test_both_members(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    uint64_t before_a = file_sum(a.image), before_b = file_sum(b.image);
    observe();
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(seen.dock, "test");
    assert_false(seen.one_device);
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_slot *slot = &seen.slots[s];
        assert_true(slot->present);
        assert_string_equal(slot->disk.node, s == 0 ? a.node : b.node);
        assert_int_equal(slot->disk.size, SIZE);
        assert_int_equal(slot->identity.source, TD_IDENTITY_NONE);
        assert_string_equal(slot->fs.type, "ext4");
        assert_string_equal(slot->fs.uuid, UUID_M);
        assert_string_equal(slot->fs.label, "label");
        assert_true(slot->super_read);
        assert_string_equal(slot->super.uuid, UUID_M);
        assert_int_equal(slot->card_state, TD_CARD_READ);
        assert_int_equal(slot->card.member, "AB"[s]);
        assert_int_equal(slot->card.generation, 3);
        assert_string_equal(slot->problem, "");
        /* Nothing is left mounted. */
        assert_int_equal(td_blockdev_wait_free(slot->disk.node, 0, NULL), 0);
    }
    loopdev_detach(&a);
    loopdev_detach(&b);
    assert_int_equal(file_sum(a.image), before_a);
    assert_int_equal(file_sum(b.image), before_b);
}

static void enroll_serial(int member, const char *serial) {
    pair.members[member].identity.source = TD_IDENTITY_ATA;
    put(pair.members[member].identity.serial, sizeof(pair.members[member].identity.serial), serial);
}

static void assert_identity(int s, enum td_identity_source source, const char *serial) {
    assert_int_equal(seen.slots[s].identity.source, source);
    assert_string_equal(seen.slots[s].identity.serial, serial);
}

static const char *rests_on(int s) {
    static const struct td_policy policy;
    return td_judge_dock(&seen, &pair, 1, &policy).slots[s].rests_on;
}

/* Two honest drives; then bridges that lie about them in every way, and the cards decide. */
static void test_drives_and_bridges(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    td_sys.ioctl = answer;
    drives.serial[0] = "WD-1";
    drives.serial[1] = "WD-2";
    enroll_serial(0, "WD-1");
    enroll_serial(1, "WD-2");
    observe();
    assert_identity(0, TD_IDENTITY_ATA, "WD-1");
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(rests_on(0), "drive+card");
    assert_string_equal(rests_on(1), "drive+card");

    drives.serial[1] = "WD-1"; /* one serial for both bays */
    observe();
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(rests_on(0), "card");
    assert_string_equal(rests_on(1), "card");

    drives.serial[0] = "WD-2"; /* the bays' serials, and the disks have changed places */
    observe();
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(rests_on(0), "card");

    drives.serial[0] = "000000000001"; /* placeholders */
    drives.serial[1] = "0123456789ABCDEF";
    observe();
    assert_identity(0, TD_IDENTITY_NONE, "");
    assert_identity(1, TD_IDENTITY_NONE, "");
    assert_int_equal(verdict(), TD_OK);

    drives.serial[0] = "WD-1";
    drives.serial[1] = "X"; /* another one each time it is asked */
    drives.fickle[1] = true;
    observe();
    assert_identity(0, TD_IDENTITY_ATA, "WD-1");
    assert_identity(1, TD_IDENTITY_NONE, "");
    assert_string_equal(seen.slots[1].identity.model, "TEST DRIVE");
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(rests_on(0), "drive+card");
    assert_string_equal(rests_on(1), "card");
}

/* A drive that is no member's is not even mounted; the one whose serial changes is known by its card alone. */
static void test_clone_on_another_drive(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    td_sys.ioctl = answer;
    drives.serial[0] = "WD-1";
    drives.serial[1] = "WD-9";
    enroll_serial(0, "WD-1");
    enroll_serial(1, "WD-2");
    observe();
    assert_int_equal(seen.slots[1].card_state, TD_CARD_UNREAD);
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
}

/* One disk is pulled while it is identified, and another one put into its place: same node, same number, same size. */
static void test_exchanged_meanwhile(void **state) {
    (void)state;
    need_root();
    struct loopdev other = {0};
    make_member(&a, 0);
    make_member(&b, 1);
    make_ext4(&other, UUID_X);
    loopdev_detach(&other);
    struct td_blockdev device;
    assert_int_equal(td_blockdev_from_node(b.node, &device, NULL), 0);
    if (device.diskseq == 0)
        skip(); /* before Linux 5.15 */
    char node[TD_NODE_MAX];
    put(node, sizeof(node), b.node);
    loopdev_detach(&b);
    must_run("losetup", "-r", node, b.image, NULL); /* only these can be exchanged while they are open */
    put(b.node, sizeof(b.node), node);
    td_sys.ioctl = answer;
    drives.serial[0] = "WD-1";
    drives.serial[1] = "WD-2";
    drives.exchange = other.image;
    int rc = td_observe(&dock, &pair, 1, &seen, &err);
    enum td_verdict judged = verdict();
    loopdev_detach(&b);
    loopdev_destroy(&other);
    assert_int_equal(rc, 0);
    assert_null(drives.exchange);
    assert_string_equal(seen.slots[1].fs.uuid, UUID_X);
    assert_int_equal(seen.slots[1].card_state, TD_CARD_UNREAD);
    assert_int_equal(judged, TD_FOREIGN_DISK);
}

static void test_swapped(void **state) {
    (void)state;
    need_root();
    make_member(&a, 1);
    make_member(&b, 0);
    observe();
    assert_int_equal(verdict(), TD_SWAPPED);
}

/* A disk of no enrolled pair is described, and never mounted. */
static void test_foreign(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    loopdev_create(&b, SIZE);
    loopdev_attach(&b, false);
    put(pair.uuid, sizeof(pair.uuid), UUID_X);
    observe();
    assert_int_equal(verdict(), TD_FOREIGN_DISK);
    assert_int_equal(seen.slots[0].card_state, TD_CARD_UNREAD);
    assert_string_equal(seen.slots[0].fs.uuid, UUID_M);
    assert_true(seen.slots[0].super_read);
    assert_true(seen.slots[1].present);
    assert_string_equal(seen.slots[1].fs.type, "");
    assert_int_equal(td_observe(&dock, NULL, 0, &seen, &err), 0);
    assert_int_equal(seen.slots[0].card_state, TD_CARD_UNREAD);
}

static void test_nothing_there(void **state) {
    (void)state;
    need_root();
    char nowhere[] = "/dev/twindock-no-such-device";
    char place[] = "pci-0000:ff:1f.7-no-such-place";
    dock.source = nowhere;
    dock.destination = place;
    observe();
    assert_false(seen.slots[0].present || seen.slots[1].present);
    assert_int_equal(verdict(), TD_EMPTY);
    make_member(&a, 0);
    dock.source = a.node;
    observe();
    assert_int_equal(verdict(), TD_MISSING_MEMBER);
    /* A device without a medium. */
    char node[TD_NODE_MAX];
    put(node, sizeof(node), a.node);
    loopdev_detach(&a);
    dock.source = node;
    observe();
    assert_false(seen.slots[0].present);
}

static void test_one_disk_in_both_slots(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    dock.destination = a.node;
    observe();
    assert_true(seen.one_device);
    assert_int_equal(verdict(), TD_DOCK_MERGED);
}

static void test_slot_that_is_no_disk(void **state) {
    (void)state;
    need_root();
    char null[] = "/dev/null";
    make_member(&a, 0);
    dock.destination = null;
    assert_int_equal(td_observe(&dock, &pair, 1, &seen, &err), -ENOTBLK);
    assert_non_null(strstr(err.text, "destination slot of dock test"));
    assert_non_null(strstr(err.text, "/dev/null"));
}

static void test_cards(void **state) {
    (void)state;
    need_root();
    make_ext4(&a, UUID_M);
    make_member(&b, 1);
    observe();
    assert_int_equal(seen.slots[0].card_state, TD_CARD_ABSENT);
    assert_string_equal(seen.slots[0].problem, "");
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);

    int root = mount_rw(a.node);
    assert_int_equal(mkdirat(root, TD_DIR, 0755), 0);
    int fd = openat(root, TD_DIR "/" TD_CARD_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "{}", 2), 2);
    close(fd);
    unmount(root, a.node);
    observe();
    assert_int_equal(seen.slots[0].card_state, TD_CARD_BAD);
    assert_non_null(strstr(seen.slots[0].problem, "card"));
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
}

static void test_damaged_filesystem(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    loopdev_detach(&a);
    loopdev_detach(&b);
    must_run("debugfs", "-w", "-R", "ssv state 2", b.image, NULL);
    must_run("debugfs", "-w", "-R", "feature needs_recovery", a.image, NULL);
    uint64_t before_a = file_sum(a.image), before_b = file_sum(b.image);
    loopdev_attach(&a, false);
    loopdev_attach(&b, false);
    observe();
    assert_true(seen.slots[0].super.needs_recovery);
    assert_false(seen.slots[0].super.errors);
    assert_true(seen.slots[1].super.errors);
    assert_int_equal(seen.slots[0].card_state, TD_CARD_READ);
    assert_int_equal(seen.slots[1].card_state, TD_CARD_READ);
    assert_int_equal(verdict(), TD_UNCLEAN);
    loopdev_detach(&a);
    loopdev_detach(&b);
    assert_int_equal(file_sum(a.image), before_a);
    assert_int_equal(file_sum(b.image), before_b);
}

/* The root directory's inode is gone: the UUID is there, but it cannot be mounted. */
static void test_filesystem_that_cannot_be_mounted(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    loopdev_detach(&a);
    must_run("debugfs", "-w", "-R", "clri <2>", a.image, NULL);
    loopdev_attach(&a, false);
    observe();
    assert_int_equal(seen.slots[0].card_state, TD_CARD_BAD);
    assert_non_null(strstr(seen.slots[0].problem, "cannot mount"));
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
}

static void test_mounted_elsewhere(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    int root = mount_rw(a.node);
    observe();
    assert_int_equal(seen.slots[0].card_state, TD_CARD_UNREAD);
    assert_non_null(strstr(seen.slots[0].problem, "in use"));
    assert_int_equal(verdict(), TD_UNKNOWN_MEMBER);
    unmount(root, a.node);
    observe();
    assert_int_equal(verdict(), TD_OK);
}

/* Two partitions, the second of which is the member. */
static void make_partitioned(void) {
    char script[400], node[TD_NODE_MAX + 4];
    loopdev_create(&a, 64 * MIB);
    snprintf(script, sizeof(script), "printf ',20M\\n,\\n' | sfdisk -q '%s' >/dev/null 2>&1", a.image);
    must_run("sh", "-c", script, NULL);
    loopdev_attach(&a, true);
    snprintf(node, sizeof(node), "%sp1", a.node);
    must_run("mkfs.ext4", "-q", "-F", "-U", UUID_X, node, NULL);
    snprintf(node, sizeof(node), "%sp2", a.node);
    must_run("mkfs.ext4", "-q", "-F", "-I", "256", "-U", UUID_M, node, NULL);
    write_card(node, 0);
    pair.members[0].size = 64 * MIB;
}

static void test_partition(void **state) {
    (void)state;
    need_root();
    make_partitioned();
    make_member(&b, 1);
    char first[TD_NODE_MAX + 4], second[TD_NODE_MAX + 4];
    snprintf(first, sizeof(first), "%sp1", a.node);
    snprintf(second, sizeof(second), "%sp2", a.node);
    observe();
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(seen.slots[0].disk.node, a.node);
    assert_string_equal(seen.slots[0].fs.device.node, second);
    /* A partition's node means that partition; the disk is the whole one behind it. */
    dock.source = second;
    observe();
    assert_int_equal(verdict(), TD_OK);
    assert_string_equal(seen.slots[0].disk.node, a.node);
    assert_int_equal(seen.slots[0].disk.size, 64 * MIB);
    dock.source = first;
    observe();
    assert_int_equal(verdict(), TD_FOREIGN_DISK);
    assert_string_equal(seen.slots[0].fs.uuid, UUID_X);
    assert_true(td_dock_has_node(&dock, second));
    dock.destination = second;
    observe();
    assert_true(seen.one_device);
}

static void test_mirror_mode_looks_at_one_slot(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    dock.mode = TD_MODE_MIRROR;
    observe();
    assert_true(seen.slots[0].present);
    assert_false(seen.slots[1].present);
    assert_int_equal(verdict(), TD_WRONG_LAYOUT);
}

static void test_nodes_of_a_dock(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    char nowhere[] = "/dev/twindock-no-such-device";
    assert_true(td_dock_has_node(&dock, a.node));
    assert_true(td_dock_has_node(&dock, b.node));
    dock.destination = nowhere;
    assert_true(td_dock_has_node(&dock, a.node));
    assert_false(td_dock_has_node(&dock, b.node));
    assert_false(td_dock_has_node(&dock, nowhere));
    assert_false(td_dock_has_node(&dock, "/dev/null"));
}

static int64_t settled_ms(void) {
    int64_t begin = td_boot_ns();
    if (td_observe_settled(&dock, &pair, 1, &seen, &err) != 0)
        fail_msg("%s", err.text);
    return (td_boot_ns() - begin) / 1000000;
}

static void test_settling(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    char nowhere[] = "/dev/twindock-no-such-device";
    dock.settle = 30;
    int64_t ms = settled_ms();
    assert_int_equal(verdict(), TD_OK);
    assert_true(ms >= 1000 && ms < 10000);
    dock.settle = 2;
    dock.destination = nowhere;
    assert_true(settled_ms() >= 2000);
    assert_int_equal(verdict(), TD_MISSING_MEMBER);
    dock.mode = TD_MODE_MIRROR;
    dock.settle = 30;
    assert_true(settled_ms() < 10000);
    dock.mode = TD_MODE_INDIVIDUAL;
    dock.settle = 0;
    assert_true(settled_ms() < 1000);
}

/* The second disk comes while we wait for it. */
static void *attach_later(void *path) {
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    assert_int_equal(symlink(b.node, path), 0);
    return NULL;
}

static void test_second_disk_comes_later(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    snprintf(link_path, sizeof(link_path), "%s-slot", a.directory);
    dock.destination = link_path;
    dock.settle = 30;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, attach_later, link_path), 0);
    int64_t ms = settled_ms();
    pthread_join(thread, NULL);
    assert_int_equal(verdict(), TD_OK);
    assert_true(ms >= 2500 && ms < 15000);
}

static atomic_bool stop;

static void *keep_changing(void *path) {
    char other[340];
    snprintf(other, sizeof(other), "%s.new", (const char *)path);
    for (int i = 0; !stop; i++) {
        if (symlink(i % 2 ? b.node : a.node, other) == 0 && rename(other, path) != 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
    }
    return NULL;
}

/* A slot that leads now here, now there: what is reported belongs to one disk, or nothing is believed. */
static void test_slot_that_keeps_changing(void **state) {
    (void)state;
    need_root();
    make_member(&a, 0);
    make_member(&b, 1);
    char nowhere[] = "/dev/twindock-no-such-device";
    snprintf(link_path, sizeof(link_path), "%s-slot", a.directory);
    assert_int_equal(symlink(a.node, link_path), 0);
    dock.source = link_path;
    dock.destination = nowhere;
    stop = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_changing, link_path), 0);
    bool doubted = false;
    for (int i = 0; i < 200 && !doubted; i++) {
        int rc = td_observe(&dock, &pair, 1, &seen, &err);
        const struct td_slot *slot = &seen.slots[0];
        doubted = rc == 0 && strstr(slot->problem, "keep changing") != NULL;
        if (rc != 0 || (!doubted && (slot->card_state != TD_CARD_READ ||
                                     slot->card.member != (strcmp(slot->disk.node, a.node) == 0 ? 'A' : 'B'))))
            break;
    }
    stop = true;
    pthread_join(thread, NULL);
    assert_true(doubted);
    assert_int_equal(seen.slots[0].card_state, TD_CARD_UNREAD);
    assert_int_equal(verdict(), TD_FOREIGN_DISK);
}

/* Another number each time a medium is put in, the same as long as it stays. */
static void test_glance(void **state) {
    (void)state;
    need_root();
    struct td_dock_glance first, again;
    char nowhere[] = "/dev/twindock-no-such-device";
    loopdev_create(&a, SIZE);
    loopdev_create(&b, SIZE);
    dock.source = dock.destination = nowhere;
    assert_int_equal(td_dock_glance(&dock, &first), 0);
    assert_true(first.medium[0] == 0 && first.medium[1] == 0 && !first.full);
    loopdev_attach(&b, false);
    dock.destination = b.node;
    assert_int_equal(td_dock_glance(&dock, &first), 0);
    assert_true(first.medium[0] == 0 && first.medium[1] != 0 && !first.full);
    assert_string_equal(first.node[1], b.node);
    loopdev_attach(&a, false);
    dock.source = a.node;
    assert_int_equal(td_dock_glance(&dock, &again), 0);
    assert_true(again.full && again.medium[0] != 0);
    assert_true(again.medium[1] == first.medium[1]);
    loopdev_detach(&b);
    loopdev_attach(&b, false);
    assert_int_equal(td_dock_glance(&dock, &first), 0);
    assert_true(first.medium[0] == again.medium[0]);
    assert_true(first.medium[1] != again.medium[1]);
    dock.mode = TD_MODE_MIRROR;
    assert_int_equal(td_dock_glance(&dock, &again), 0);
    assert_true(again.full && again.medium[1] == 0);
    char no_disk[] = "/dev/null";
    dock.source = no_disk;
    assert_true(td_dock_glance(&dock, &again) < 0);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_both_members),
        T(test_drives_and_bridges),
        T(test_clone_on_another_drive),
        T(test_exchanged_meanwhile),
        T(test_swapped),
        T(test_foreign),
        T(test_nothing_there),
        T(test_one_disk_in_both_slots),
        T(test_slot_that_is_no_disk),
        T(test_cards),
        T(test_damaged_filesystem),
        T(test_filesystem_that_cannot_be_mounted),
        T(test_mounted_elsewhere),
        T(test_partition),
        T(test_mirror_mode_looks_at_one_slot),
        T(test_nodes_of_a_dock),
        T(test_glance),
        T(test_settling),
        T(test_second_disk_comes_later),
        T(test_slot_that_keeps_changing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
