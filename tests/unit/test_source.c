/* dock/source.h: the source is what the configuration demands, or a sentence says what it is instead. */
#include "loopdev.h"

#include "twindock/base/cleanup.h"
#include "twindock/dock/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID_S "0cfdeff4-6502-6510-8086-145408f4e658"

static char scratch[256], source[300], mount_point[300];
static struct td_collection_config collection;
static struct td_buf why;
static struct td_error err;
static struct loopdev loop;
static bool apart; /* in a mount namespace of our own */

static int setup(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-source-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    snprintf(mount_point, sizeof(mount_point), "%s/array", scratch);
    snprintf(source, sizeof(source), "%s/array/music", scratch);
    collection = (struct td_collection_config){.name = "M", .source = source};
    err = (struct td_error){0};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (apart)
        umount2(mount_point, MNT_DETACH);
    loopdev_destroy(&loop);
    td_buf_free(&why);
    char command[300];
    snprintf(command, sizeof(command), "%s", scratch);
    must_run("rm", "-rf", "--one-file-system", command, NULL);
    return 0;
}

static void make_file(const char *name) {
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", source, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void make_source(void) {
    assert_int_equal(mkdir(mount_point, 0755), 0);
    assert_int_equal(mkdir(source, 0755), 0);
    make_file("song");
}

static int open_with(const struct td_observation *seen) {
    td_buf_clear(&why);
    return td_source_open(&collection, seen, &why, &err);
}

static void assert_opens(const struct td_observation *seen) {
    TD_AUTOCLOSE int fd = open_with(seen);
    if (fd < 0)
        fail_msg("%s%s", td_buf_text(&why), err.text);
    assert_string_equal(td_buf_text(&why), "");
    assert_int_equal(faccessat(fd, "song", F_OK, 0), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* Refused with "The source of M, SOURCE, " and these words. */
static void assert_refused(const struct td_observation *seen, const char *format, const char *path) {
    TD_AUTOBUF struct td_buf expected = {0};
    td_buf_printf(&expected, "The source of M, %s, ", collection.source);
    const char *at = strchr(format, '@');
    td_buf_add(&expected, format, at ? (size_t)(at - format) : strlen(format));
    if (at)
        td_buf_printf(&expected, "%s%s", path, at + 1);
    assert_int_equal(open_with(seen), -ENOENT);
    assert_string_equal(td_buf_text(&why), td_buf_text(&expected));
    assert_int_equal(err.code, 0);
}

static void test_plain(void **state) {
    (void)state;
    make_source();
    assert_opens(NULL);
    const struct td_observation empty = {0};
    assert_opens(&empty);
}

static void test_absent(void **state) {
    (void)state;
    assert_refused(NULL, "does not exist. Mount it, or correct `source` in the configuration.", NULL);
    make_source();
    char file[] = "relative";
    collection.source = file;
    assert_refused(NULL, "is not an absolute path. Correct `source` in the configuration.", NULL);
    char path[400];
    snprintf(path, sizeof(path), "%s/song", source);
    collection.source = path;
    assert_refused(NULL, "is not a directory. Correct `source` in the configuration.", NULL);
    collection.source = NULL;
    assert_int_equal(open_with(NULL), -EINVAL);
}

static void test_empty(void **state) {
    (void)state;
    make_source();
    char path[400];
    snprintf(path, sizeof(path), "%s/song", source);
    assert_int_equal(unlink(path), 0);
    assert_refused(NULL, "is empty. Mount it, or put its files back, before it is backed up again.", NULL);
    snprintf(path, sizeof(path), "%s/lost+found", source);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(NULL, "is empty. Mount it, or put its files back, before it is backed up again.", NULL);
    make_file(".hidden");
    TD_AUTOCLOSE int fd = open_with(NULL);
    assert_true(fd >= 0);
}

/* The owner's own path may lead through symlinks. */
static void test_through_a_symlink(void **state) {
    (void)state;
    make_source();
    char link[300];
    snprintf(link, sizeof(link), "%s/link", scratch);
    assert_int_equal(symlink(source, link), 0);
    collection.source = link;
    assert_opens(NULL);
}

static void test_not_a_mount_point(void **state) {
    (void)state;
    make_source();
    collection.source_mount = mount_point;
    assert_refused(NULL, "is not mounted: @ is not a mount point. Mount it first.", mount_point);
    char root[] = "/"; /* in a chroot that is no mount point */
    collection.source_mount = root;
    struct statx st;
    if (statx(AT_FDCWD, root, 0, STATX_BASIC_STATS, &st) == 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        assert_opens(NULL);
    /* A mount point, but not one that the source is on. */
    char proc[] = "/proc";
    collection.source_mount = proc;
    assert_refused(NULL, "is not below its `source_mount` /proc. Correct the configuration.", NULL);
    /* A name that the source's begins with is not a directory above it. */
    char half[320];
    snprintf(half, sizeof(half), "%.*s", (int)strlen(mount_point) - 1, mount_point);
    collection.source_mount = half;
    assert_refused(NULL, "is not below its `source_mount` @. Correct the configuration.", half);
}

/* Mount a new ext4 at the array's place. */
static void mount_array(void) {
    if (!apart)
        skip();
    assert_int_equal(mkdir(mount_point, 0755), 0);
    loopdev_create(&loop, 16 << 20);
    must_run("mkfs.ext4", "-q", "-F", "-U", UUID_S, loop.image, NULL);
    loopdev_attach(&loop, false);
    assert_int_equal(mount(loop.node, mount_point, "ext4", 0, NULL), 0);
    assert_int_equal(mkdir(source, 0755), 0);
    make_file("song");
}

static void test_mounted(void **state) {
    (void)state;
    mount_array();
    char slashes[320];
    snprintf(slashes, sizeof(slashes), "%s//", mount_point);
    collection.source_mount = mount_point;
    assert_opens(NULL);
    collection.source_mount = slashes;
    assert_opens(NULL);
    /* The mount point itself may be the source; lost+found does not make it one. */
    collection.source = mount_point;
    collection.source_mount = mount_point;
    TD_AUTOCLOSE int fd = open_with(NULL);
    assert_true(fd >= 0);
    assert_int_equal(umount(mount_point), -1); /* held by fd */
}

static void test_filesystem_uuid(void **state) {
    (void)state;
    mount_array();
    char right[] = UUID_S, capitals[] = "0CFDEFF4-6502-6510-8086-145408F4E658";
    char wrong[] = "18e61a61-6502-6510-8086-0065d1917f97";
    collection.source_uuid = right;
    assert_opens(NULL);
    collection.source_uuid = capitals;
    assert_opens(NULL);
    collection.source_uuid = wrong;
    assert_refused(NULL, "lies on the filesystem " UUID_S ", and the configuration demands @. Mount the right one.",
                   wrong);
}

static void test_uuid_that_cannot_be_told(void **state) {
    (void)state;
    if (!apart)
        skip();
    assert_int_equal(mkdir(mount_point, 0755), 0);
    assert_int_equal(mount("none", mount_point, "tmpfs", 0, NULL), 0);
    assert_int_equal(mkdir(source, 0755), 0);
    make_file("song");
    assert_opens(NULL);
    char uuid[] = UUID_S;
    collection.source_uuid = uuid;
    assert_refused(NULL,
                   "lies on a filesystem whose UUID cannot be told, and the configuration demands " UUID_S
                   ". Use `source_mount` instead of `source_uuid`.",
                   NULL);
}

static void test_on_a_docked_disk(void **state) {
    (void)state;
    mount_array();
    struct td_observation seen = {0};
    assert_int_equal(td_blockdev_from_node(loop.node, &seen.slots[1].disk, &err), 0);
    seen.slots[1].present = true;
    assert_refused(&seen,
                   "lies on the disk in the destination slot itself. Correct `source` in the configuration, or take "
                   "that disk out of the dock.",
                   NULL);
    seen.slots[1].present = false;
    assert_opens(&seen);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_plain),
        T(test_absent),
        T(test_empty),
        T(test_through_a_symlink),
        T(test_not_a_mount_point),
        T(test_mounted),
        T(test_filesystem_uuid),
        T(test_uuid_that_cannot_be_told),
        T(test_on_a_docked_disk),
    };
    /* Mounts are made where nobody else sees them, and end with the program. */
    apart =
        geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
        (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL); /* "/" of a chroot is no mount */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
