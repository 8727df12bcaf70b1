/* base/beneath.h: paths of any length below a descriptor, and no way out. */
#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"

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
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int root = -1;

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-beneath-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

static int remove_scratch(void **state) {
    (void)state;
    return close(root) || rmdir(scratch);
}

/* Close what must have been opened. */
static void good(int fd) {
    assert_true(fd >= 0);
    close(fd);
}

static void make_file(const char *path, const char *text) {
    int fd = td_open_beneath(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void opens_what_is_there(void **state) {
    (void)state;
    struct stat st, root_st;
    int fd = td_open_beneath(root, "", O_RDONLY | O_DIRECTORY, 0);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(fstat(root, &root_st), 0);
    assert_int_equal(st.st_ino, root_st.st_ino);
    close(fd);

    assert_int_equal(mkdirat(root, "d", 0700), 0);
    make_file("d/file", "text");
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(fstatat(root, "d/file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640U & ~mask);

    char text[8] = "";
    fd = td_open_beneath(root, "d/file", O_RDONLY, 0);
    assert_int_equal(read(fd, text, sizeof(text)), 4);
    assert_memory_equal(text, "text", 4);
    close(fd);

    assert_int_equal(td_open_beneath(root, "d/none", O_RDONLY, 0), -ENOENT);
    assert_int_equal(td_open_beneath(root, "d/file/x", O_RDONLY, 0), -ENOTDIR);
    assert_int_equal(td_open_beneath(root, "d/file", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
    assert_int_equal(unlinkat(root, "d/file", 0), 0);
    assert_int_equal(unlinkat(root, "d", AT_REMOVEDIR), 0);
}

static void never_leaves(void **state) {
    (void)state;
    assert_int_equal(td_open_beneath(root, "/etc", O_RDONLY, 0), -EXDEV);
    assert_int_equal(td_open_beneath(root, "..", O_RDONLY, 0), -EXDEV);
    assert_int_equal(mkdirat(root, "d", 0700), 0);
    assert_int_equal(td_open_beneath(root, "d/../..", O_RDONLY, 0), -EXDEV);
    assert_int_equal(unlinkat(root, "d", AT_REMOVEDIR), 0);

    const char *name;
    assert_int_equal(td_open_parent(root, "/etc", &name), -EXDEV);
    assert_int_equal(td_open_parent(root, "..", &name), -EINVAL);
    assert_int_equal(td_open_parent(root, "d/.", &name), -EINVAL);
}

static void follows_no_symlink(void **state) {
    (void)state;
    assert_int_equal(mkdirat(root, "real", 0700), 0);
    make_file("real/file", "x");
    assert_int_equal(symlinkat("real", root, "link"), 0);
    assert_int_equal(symlinkat("real/file", root, "leaf"), 0);

    const char *name;
    assert_int_equal(td_open_beneath(root, "link/file", O_RDONLY, 0), -ELOOP);
    assert_int_equal(td_open_beneath(root, "leaf", O_RDONLY, 0), -ELOOP);
    assert_int_equal(td_open_beneath(root, "leaf", O_WRONLY | O_CREAT, 0600), -ELOOP);
    assert_int_equal(td_open_parent(root, "link/file", &name), -ELOOP);
    assert_true(td_make_parents(root, "link/new/file") < 0);
    assert_int_equal(faccessat(root, "real/new", F_OK, 0), -1);

    /* O_PATH means the link itself. */
    struct stat st;
    int fd = td_open_beneath(root, "leaf", O_PATH, 0);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    close(fd);

    assert_int_equal(unlinkat(root, "leaf", 0), 0);
    assert_int_equal(unlinkat(root, "link", 0), 0);
    assert_int_equal(unlinkat(root, "real/file", 0), 0);
    assert_int_equal(unlinkat(root, "real", AT_REMOVEDIR), 0);
}

static void parents(void **state) {
    (void)state;
    const char *name, *path = "a/b/c";
    assert_int_equal(td_open_parent(root, path, &name), -ENOENT);
    assert_int_equal(td_make_parents(root, path), 0);
    assert_int_equal(td_make_parents(root, path), 0); /* again, over what is there */
    struct stat st;
    assert_int_equal(fstatat(root, "a/b", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(faccessat(root, path, F_OK, 0), -1);

    int fd = td_open_parent(root, path, &name);
    assert_true(fd >= 0);
    assert_ptr_equal(name, path + 4);
    assert_int_equal(fsync(fd), 0);
    close(fd);

    fd = td_open_parent(root, "single", &name);
    assert_true(fd >= 0);
    assert_string_equal(name, "single");
    close(fd);
    assert_int_equal(td_make_parents(root, "single"), 0);

    assert_int_equal(td_open_parent(root, "", &name), -EINVAL);
    assert_int_equal(td_open_parent(root, "a/", &name), -EINVAL);

    make_file("a/file", "x");
    assert_int_equal(td_make_parents(root, "a/file/x/y"), -ENOTDIR);
    assert_int_equal(unlinkat(root, "a/file", 0), 0);
    assert_int_equal(unlinkat(root, "a/b", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(root, "a", AT_REMOVEDIR), 0);
}

/* A path of `components` names of `width` bytes, the last one "file". */
static void long_path(struct td_buf *path, size_t components, size_t width) {
    for (size_t i = 0; i < components; i++) {
        for (size_t j = 0; j < width; j++)
            td_buf_putc(path, (char)('a' + i % 26));
        td_buf_putc(path, '/');
    }
    td_buf_puts(path, "file");
}

/* Take away the file and every directory above it, again by descriptors, as rm(1) could not name them. */
static void remove_long(const struct td_buf *path) {
    TD_AUTOFREE char *copy = strdup(path->data);
    const char *name;
    int flags = 0;
    assert_non_null(copy);
    for (char *end;; *end = '\0') {
        TD_AUTOCLOSE int fd = td_open_parent(root, copy, &name);
        assert_true(fd >= 0);
        assert_int_equal(unlinkat(fd, name, flags), 0);
        flags = AT_REMOVEDIR;
        end = strrchr(copy, '/');
        if (!end)
            break;
    }
}

/* Longer than PATH_MAX, with seams at every offset of a component: widths differ so that slashes move. */
static void any_length(void **state) {
    (void)state;
    static const struct {
        size_t components, width;
    } rows[] = {{60, 250}, {16, 255}, {32, 127}, {2047, 1}, {2048, 1}, {4100, 1}, {20, 204}, {19, 215}, {1, 255}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TD_AUTOBUF struct td_buf path = {0};
        long_path(&path, rows[i].components, rows[i].width);
        assert_int_equal(td_make_parents(root, path.data), 0);
        make_file(path.data, "deep");

        char text[8] = "";
        int fd = td_open_beneath(root, path.data, O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, text, sizeof(text)), 4);
        assert_memory_equal(text, "deep", 4);
        close(fd);
        remove_long(&path);
    }
}

/* Every length around the seam, with one-byte names; nothing is lost or read twice where pieces meet. */
static void lengths_around_the_seam(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf path = {0};
    long_path(&path, PATH_MAX / 2 + 4, 1);
    assert_int_equal(td_make_parents(root, path.data), 0);
    make_file(path.data, "x");
    for (size_t len = PATH_MAX - 9; len < PATH_MAX + 7; len++) {
        TD_AUTOFREE char *part = strndup(path.data, len);
        assert_non_null(part);
        good(td_open_beneath(root, part, O_RDONLY | O_DIRECTORY, 0));
    }
    remove_long(&path);
}

static void a_name_too_long(void **state) {
    (void)state;
    char name[2 * PATH_MAX];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(td_open_beneath(root, name, O_RDONLY, 0), -ENAMETOOLONG);
    name[0] = '/';
    assert_int_equal(td_open_beneath(root, name, O_RDONLY, 0), -EXDEV);
    name[0] = 'x';
    name[300] = '\0';
    assert_int_equal(td_open_beneath(root, name, O_RDONLY, 0), -ENAMETOOLONG);
    memcpy(name + 290, "/f", 3);
    assert_int_equal(td_make_parents(root, name), -ENAMETOOLONG);
}

static void leaks_no_descriptor(void **state) {
    (void)state;
    int before = dup(root), after;
    close(before);
    TD_AUTOBUF struct td_buf path = {0};
    long_path(&path, 60, 250);
    assert_int_equal(td_make_parents(root, path.data), 0);
    make_file(path.data, "x");
    assert_int_equal(td_make_parents(root, path.data), 0);
    assert_int_equal(td_open_beneath(root, path.data, O_WRONLY | O_CREAT | O_EXCL, 0), -EEXIST);
    remove_long(&path);
    after = dup(root);
    close(after);
    assert_int_equal(before, after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_is_there), cmocka_unit_test(never_leaves),
        cmocka_unit_test(follows_no_symlink),  cmocka_unit_test(parents),
        cmocka_unit_test(any_length),          cmocka_unit_test(lengths_around_the_seam),
        cmocka_unit_test(a_name_too_long),     cmocka_unit_test(leaks_no_descriptor),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
