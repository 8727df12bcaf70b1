/* sync/attributes.h: metadata read and applied, for every kind of file. */
#include "twindock/base/cleanup.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int src = -1, dst = -1;

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-attributes-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch) || chdir(scratch) < 0 || mkdir("s", 0755) < 0 || mkdir("d", 0755) < 0)
        return -1;
    src = open("s", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dst = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return src < 0 || dst < 0 ? -1 : 0;
}

static int remove_scratch(void **state) {
    (void)state;
    unlinkat(src, "x", 0);
    unlinkat(dst, "x", 0);
    unlinkat(src, "x", AT_REMOVEDIR);
    unlinkat(dst, "x", AT_REMOVEDIR);
    close(src);
    close(dst);
    rmdir("s");
    rmdir("d");
    return chdir("/") || rmdir(scratch);
}

static void touch(int dir, const char *name, mode_t mode) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* access(5,5): an ACL with a named user and a mask, as linux/posix_acl_xattr.h lays it out (version 2). */
#define ACL_ENTRIES 5
struct acl {
    uint32_t version;
    struct {
        uint16_t tag, perm;
        uint32_t id;
    } entry[ACL_ENTRIES];
};

static struct acl acl_of(uint16_t named, uint16_t mask) {
    return (struct acl){
        2, {{1, 6, UINT32_MAX}, {2, named, 12345}, {4, 4, UINT32_MAX}, {16, mask, UINT32_MAX}, {32, 0, UINT32_MAX}}};
}

static void digest_is_as_documented(void **state) {
    (void)state;
    static const char expected[] = "user.a\0\x01\0\0\0\0\0\0\0"
                                   "1user.b\0\0\0\0\0\0\0\0\0";
    uint8_t wanted[TD_HASH_LEN], got[TD_HASH_LEN];
    touch(src, "x", 0644);
    assert_int_equal(td_xattr_digest(src, "x", got), 0);
    assert_true(td_hash_is_zero(got));
    assert_int_equal(setxattr("s/x", "user.b", "", 0, 0), 0); /* not in the order of names */
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    struct td_digest *digest = td_digest_new(NULL);
    td_digest_start(digest);
    td_digest_add(digest, expected, sizeof(expected) - 1);
    td_digest_end(digest, wanted);
    td_digest_free(digest);
    assert_int_equal(td_xattr_digest(src, "x", got), 0);
    assert_memory_equal(got, wanted, TD_HASH_LEN);
    int fd = open("s/x", O_PATH | O_CLOEXEC); /* "" is the descriptor itself */
    assert_int_equal(td_xattr_digest(fd, "", got), 0);
    assert_memory_equal(got, wanted, TD_HASH_LEN);
    close(fd);
}

static void digest_tells_values_apart(void **state) {
    (void)state;
    uint8_t first[TD_HASH_LEN], second[TD_HASH_LEN];
    touch(src, "x", 0644);
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    assert_int_equal(td_xattr_digest(src, "x", first), 0);
    assert_int_equal(setxattr("s/x", "user.a", "2", 1, 0), 0);
    assert_int_equal(td_xattr_digest(src, "x", second), 0);
    assert_memory_not_equal(first, second, TD_HASH_LEN);
    assert_int_equal(removexattr("s/x", "user.a"), 0);
    assert_int_equal(setxattr("s/x", "user.a1", "", 0, 0), 0);
    assert_int_equal(td_xattr_digest(src, "x", second), 0);
    assert_memory_not_equal(first, second, TD_HASH_LEN);
}

static void expect_xattr(const char *path, const char *name, const void *value, ssize_t len) {
    char got[4096];
    assert_int_equal(lgetxattr(path, name, got, sizeof(got)), len);
    if (len > 0)
        assert_memory_equal(got, value, (size_t)len);
}

static void copies_and_removes(void **state) {
    (void)state;
    char big[2000];
    memset(big, 'b', sizeof(big));
    touch(src, "x", 0644);
    touch(dst, "x", 0644);
    assert_int_equal(setxattr("s/x", "user.big", big, sizeof(big), 0), 0);
    assert_int_equal(setxattr("s/x", "user.bin", "a\0b\xff", 4, 0), 0);
    assert_int_equal(setxattr("s/x", "user.empty", "", 0, 0), 0);
    assert_int_equal(setxattr("d/x", "user.bin", "other", 5, 0), 0);
    assert_int_equal(setxattr("d/x", "user.stale", "x", 1, 0), 0);
    if (geteuid() == 0)
        assert_int_equal(setxattr("s/x", "trusted.mark", "t", 1, 0), 0);
    assert_int_equal(td_xattr_copy(src, "x", dst, "x", NULL), 0);
    expect_xattr("d/x", "user.big", big, sizeof(big));
    expect_xattr("d/x", "user.bin", "a\0b\xff", 4);
    expect_xattr("d/x", "user.empty", "", 0);
    if (geteuid() == 0)
        expect_xattr("d/x", "trusted.mark", "t", 1);
    assert_int_equal(getxattr("d/x", "user.stale", NULL, 0), -1);
    uint8_t one[TD_HASH_LEN], two[TD_HASH_LEN];
    assert_int_equal(td_xattr_digest(src, "x", one), 0);
    assert_int_equal(td_xattr_digest(dst, "x", two), 0);
    assert_memory_equal(one, two, TD_HASH_LEN);
    struct stat before, after; /* what is right already is not written again */
    assert_int_equal(stat("d/x", &before), 0);
    usleep(20000);
    assert_int_equal(td_xattr_copy(src, "x", dst, "x", NULL), 0);
    assert_int_equal(stat("d/x", &after), 0);
    assert_true(td_same_time(&before.st_ctim, &after.st_ctim));
}

static void many_attributes(void **state) {
    (void)state;
    touch(src, "x", 0644);
    touch(dst, "x", 0644);
    char name[200];
    int made = 0;
    for (int i = 0; i < 40; i++) { /* more than one short list; how many fit depends on the filesystem */
        snprintf(name, sizeof(name), "user.%03d-%0*d", i * 7 % 40, 60, i);
        made += setxattr("s/x", name, "v", 1, 0) == 0;
    }
    assert_true(made > 16);
    assert_true(listxattr("s/x", NULL, 0) > 1024);
    uint8_t one[TD_HASH_LEN], two[TD_HASH_LEN];
    assert_int_equal(td_xattr_copy(src, "x", dst, "x", NULL), 0);
    assert_int_equal(td_xattr_digest(src, "x", one), 0);
    assert_int_equal(td_xattr_digest(dst, "x", two), 0);
    assert_memory_equal(one, two, TD_HASH_LEN);
    assert_false(td_hash_is_zero(one));
}

static void refusals_are_errors(void **state) {
    (void)state;
    struct td_error err = {0};
    touch(src, "x", 0644);
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a filesystem that keeps no attributes */
    assert_int_equal(td_xattr_copy(src, "x", proc, "stat", &err), geteuid() == 0 ? -ENOTSUP : -EACCES);
    assert_non_null(strstr(err.text, "user.a"));
    uint8_t none[TD_HASH_LEN];
    assert_int_equal(td_xattr_digest(proc, "stat", none), 0);
    close(proc);
    assert_int_equal(td_xattr_digest(src, "absent", none), -ENOENT);
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(td_xattr_digest(src, name, none), -ENAMETOOLONG);
}

static void need_root(void) {
    if (geteuid() != 0)
        skip();
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    struct td_entry entry;
    struct td_unkept unkept;
    touch(src, "x", 0644);
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    assert_int_equal(setxattr("s/x", "user.b", "22", 2, 0), 0);
    need_root();
    int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a filesystem that keeps no attributes */
    assert_int_equal(td_entry_read(proc, "stat", &entry), 0);
    assert_int_equal(td_attributes_apply_fitting(&entry, src, "x", proc, "stat", &unkept, NULL), 0);
    assert_int_equal(unkept.error, ENOTSUP);
    assert_string_equal(unkept.name, "user.a");
    assert_int_equal(unkept.size, 1);
    assert_int_equal(unkept.others, 1);
    assert_false(unkept.time);
    close(proc);
    touch(dst, "x", 0644);
    assert_int_equal(td_attributes_apply_fitting(&entry, src, "x", dst, "x", &unkept, NULL), 0);
    assert_int_equal(unkept.error, 0);
}

static void what_is_right_is_not_set_again(void **state) {
    (void)state;
    struct td_entry entry;
    struct stat before, after;
    touch(src, "x", 0644);
    touch(dst, "x", 0600);
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    assert_int_equal(td_entry_read(src, "x", &entry), 0);
    assert_int_equal(td_attributes_apply(&entry, src, "x", dst, "x", NULL), 0);
    assert_int_equal(stat("d/x", &before), 0);
    usleep(20000);
    assert_int_equal(td_attributes_apply(&entry, src, "x", dst, "x", NULL), 0);
    assert_int_equal(stat("d/x", &after), 0);
    assert_true(td_same_time(&before.st_ctim, &after.st_ctim));
}

static void covering(void **state) {
    (void)state;
    touch(src, "x", 0644);
    touch(dst, "x", 0644);
    assert_int_equal(td_xattr_covers(src, "x", dst, "x"), 1);
    assert_int_equal(setxattr("s/x", "user.a", "1", 1, 0), 0);
    assert_int_equal(td_xattr_covers(src, "x", dst, "x"), 1);
    assert_int_equal(setxattr("d/x", "user.a", "1", 1, 0), 0);
    assert_int_equal(setxattr("s/x", "user.b", "2", 1, 0), 0);
    assert_int_equal(td_xattr_covers(src, "x", dst, "x"), 1);
    assert_int_equal(td_xattr_covers(dst, "x", src, "x"), 0);
    assert_int_equal(setxattr("d/x", "user.a", "3", 1, 0), 0);
    assert_int_equal(td_xattr_covers(src, "x", dst, "x"), 0);
    assert_int_equal(td_xattr_covers(src, "absent", dst, "x"), 0);
    assert_true(td_xattr_covers(src, "x", dst, "absent") < 0);
}

/* Apply the attributes of s/x to d/x; then reading both must give the same. */
static void expect_applied(void) {
    struct td_entry from, to;
    struct td_error err = {0};
    assert_int_equal(td_entry_read(src, "x", &from), 0);
    if (td_attributes_apply(&from, src, "x", dst, "x", &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(td_entry_read(dst, "x", &to), 0);
    assert_true(td_entry_same_attributes(&from, &to));
    free((void *)(uintptr_t)from.target);
    free((void *)(uintptr_t)to.target);
}

static void every_mode(void **state) {
    (void)state;
    static const mode_t modes[] = {0000, 0400, 0644, 04755, 02755, 06711, 01644, 0777, 02644};
    need_root();
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        touch(src, "x", 0600);
        assert_int_equal(chown("s/x", 12345, 54321), 0);
        assert_int_equal(chmod("s/x", modes[i]), 0);
        touch(dst, "x", 0600);
        expect_applied();
        assert_int_equal(unlink("s/x") | unlink("d/x"), 0);
    }
}

static void times_of_every_age(void **state) {
    (void)state;
    static const struct timespec times[] = {{-86401, 876543211}, {0, 0}, {1400000000, 999999999}, {4102444800, 1}};
    touch(src, "x", 0644);
    touch(dst, "x", 0644);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct timespec set[2] = {{0, UTIME_OMIT}, times[i]};
        struct stat before, after;
        assert_int_equal(utimensat(src, "x", set, 0), 0);
        assert_int_equal(stat("d/x", &before), 0);
        expect_applied();
        assert_int_equal(stat("d/x", &after), 0);
        assert_true(td_same_time(&after.st_mtim, &times[i]));
        assert_true(td_same_time(&after.st_atim, &before.st_atim));
    }
}

static void capabilities_survive_the_owner(void **state) {
    (void)state;
    static const uint32_t capability[5] = {0x02000001, 1U << 13, 0, 0, 0};
    need_root();
    touch(src, "x", 0755);
    touch(dst, "x", 0600);
    assert_int_equal(chown("s/x", 12345, 54321), 0);
    if (setxattr("s/x", "security.capability", capability, sizeof(capability), 0) < 0)
        skip(); /* not permitted here */
    expect_applied();
    expect_xattr("d/x", "security.capability", capability, sizeof(capability));
}

static void access_control_lists(void **state) {
    (void)state;
    struct acl want = acl_of(5, 5), stale = acl_of(7, 7);
    need_root();
    touch(src, "x", 0640);
    touch(dst, "x", 0600);
    assert_int_equal(setxattr("s/x", "system.posix_acl_access", &want, sizeof(want), 0), 0);
    expect_applied();
    expect_xattr("d/x", "system.posix_acl_access", &want, sizeof(want));
    assert_int_equal(setxattr("d/x", "system.posix_acl_access", &stale, sizeof(stale), 0), 0);
    expect_applied(); /* another one before */
    assert_int_equal(removexattr("s/x", "system.posix_acl_access"), 0);
    assert_int_equal(chmod("s/x", 0604), 0);
    expect_applied(); /* and none any more */
    assert_int_equal(getxattr("d/x", "system.posix_acl_access", NULL, 0), -1);
}

static void defaults_of_a_directory(void **state) {
    (void)state;
    struct acl want = acl_of(7, 7), access = acl_of(4, 6);
    need_root();
    assert_int_equal(mkdir("s/x", 0755), 0);
    assert_int_equal(mkdir("d/x", 0700), 0);
    assert_int_equal(setxattr("s/x", "system.posix_acl_default", &want, sizeof(want), 0), 0);
    assert_int_equal(setxattr("s/x", "system.posix_acl_access", &access, sizeof(access), 0), 0);
    assert_int_equal(chmod("s/x", 02770), 0);
    expect_applied();
    expect_xattr("d/x", "system.posix_acl_default", &want, sizeof(want));
    /* What is made in it inherits an ACL that the source's file does not have. */
    int below_src = open("s/x", O_RDONLY | O_DIRECTORY), below_dst = open("d/x", O_RDONLY | O_DIRECTORY);
    touch(below_src, "child", 0644);
    assert_int_equal(removexattr("s/x/child", "system.posix_acl_access"), 0);
    assert_int_equal(chmod("s/x/child", 0644), 0);
    touch(below_dst, "child", 0600);
    struct td_entry from, to;
    assert_int_equal(td_entry_read(below_src, "child", &from), 0);
    assert_int_equal(td_attributes_apply(&from, below_src, "child", below_dst, "child", NULL), 0);
    assert_int_equal(td_entry_read(below_dst, "child", &to), 0);
    assert_true(td_entry_same_attributes(&from, &to));
    unlinkat(below_src, "child", 0);
    unlinkat(below_dst, "child", 0);
    /* The directory by its own descriptor. */
    assert_int_equal(chmod("d/x", 0), 0);
    assert_int_equal(td_entry_read(below_src, "", &from), 0);
    assert_int_equal(td_attributes_apply(&from, below_src, "", below_dst, "", NULL), 0);
    assert_int_equal(td_entry_read(below_dst, "", &to), 0);
    assert_true(td_entry_same_attributes(&from, &to));
    close(below_src);
    close(below_dst);
}

static void symlinks_are_not_followed(void **state) {
    (void)state;
    need_root();
    struct stat before, after;
    touch(src, "victim", 0600);
    assert_int_equal(stat("s/victim", &before), 0);
    assert_int_equal(symlink("../s/victim", "s/x") | symlink("../s/victim", "d/x"), 0);
    assert_int_equal(lchown("s/x", 12345, 54321), 0);
    assert_int_equal(lsetxattr("s/x", "trusted.link", "t", 1, 0), 0);
    struct timespec set[2] = {{0, UTIME_OMIT}, {-5, 7}};
    assert_int_equal(utimensat(src, "x", set, AT_SYMLINK_NOFOLLOW), 0);
    expect_applied();
    expect_xattr("d/x", "trusted.link", "t", 1);
    assert_int_equal(stat("s/victim", &after), 0);
    assert_true(td_same_time(&before.st_ctim, &after.st_ctim));
    /* A symlink in the place of a file: nothing behind it is touched, and it is an error or the link's own. */
    struct td_entry file = {.mode = S_IFREG | 0644, .uid = 1, .gid = 1};
    assert_true(td_attributes_apply(&file, src, "victim", dst, "x", NULL) < 0);
    assert_int_equal(stat("s/victim", &after), 0);
    assert_true(td_same_time(&before.st_ctim, &after.st_ctim));
    unlink("s/victim");
}

static void special_files(void **state) {
    (void)state;
    need_root();
    static const mode_t types[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct acl want = acl_of(5, 5);
        assert_int_equal(mknod("s/x", types[i] | 0640, makedev(1, 3)) | mknod("d/x", types[i] | 0600, makedev(1, 3)),
                         0);
        assert_int_equal(chown("s/x", 1, 2), 0);
        assert_int_equal(setxattr("s/x", "system.posix_acl_access", &want, sizeof(want), 0), 0);
        expect_applied();
        assert_int_equal(unlink("s/x") | unlink("d/x"), 0);
    }
}

static void entries(void **state) {
    (void)state;
    struct td_entry entry;
    char target[4000];
    memset(target, 't', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    assert_int_equal(td_entry_read(src, "absent", &entry), -ENOENT);
    assert_int_equal(symlink(target, "s/x"), 0);
    assert_int_equal(td_entry_read(src, "x", &entry), 0);
    assert_string_equal(entry.target, target);
    assert_int_equal(entry.size, 0);
    free((void *)(uintptr_t)entry.target);
    unlink("s/x");
    touch(src, "x", 0641);
    assert_int_equal(truncate("s/x", 5000), 0);
    assert_int_equal(link("s/x", "s/y"), 0);
    struct stat st;
    assert_int_equal(stat("s/x", &st), 0);
    assert_int_equal(td_entry_read(src, "x", &entry), 0);
    assert_int_equal(entry.size, 5000);
    assert_int_equal(entry.nlink, 2);
    assert_int_equal(entry.mode, S_IFREG | 0641);
    assert_int_equal(entry.ino, st.st_ino);
    assert_int_equal(entry.dev, st.st_dev);
    assert_int_equal(entry.blocks, st.st_blocks);
    assert_true(td_same_time(&entry.ctime, &st.st_ctim) && td_same_time(&entry.mtime, &st.st_mtim));
    assert_null(entry.target);
    assert_int_equal(entry.rdev, 0);
    unlink("s/y");
    assert_int_equal(td_entry_read(src, "", &entry), 0);
    assert_true(S_ISDIR(entry.mode));
    assert_int_equal(entry.size, 0);
}

int main(void) {
    umask(022);
#define in_scratch(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        in_scratch(digest_is_as_documented),
        in_scratch(digest_tells_values_apart),
        in_scratch(copies_and_removes),
        in_scratch(many_attributes),
        in_scratch(refusals_are_errors),
        in_scratch(what_does_not_fit_is_left_out),
        in_scratch(what_is_right_is_not_set_again),
        in_scratch(covering),
        in_scratch(every_mode),
        in_scratch(times_of_every_age),
        in_scratch(capabilities_survive_the_owner),
        in_scratch(access_control_lists),
        in_scratch(defaults_of_a_directory),
        in_scratch(symlinks_are_not_followed),
        in_scratch(special_files),
        in_scratch(entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
