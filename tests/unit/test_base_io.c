/* base/io.h and base/sys.h: whole reads and writes, and files that are old or new, never between. */
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int dir = -1;

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-io-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int remove_scratch(void **state) {
    (void)state;
    return close(dir) || rmdir(scratch);
}

static int restore_libc(void **state) {
    (void)state;
    td_sys = td_libc;
    return 0;
}

/* How many names the scratch directory has. */
static int names(void) {
    int count = 0;
    DIR *stream = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(stream);
    for (const struct dirent *entry; (entry = readdir(stream));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(stream);
    return count;
}

static void assert_content(const char *name, const char *text) {
    TD_AUTOBUF struct td_buf out = {0};
    assert_int_equal(td_read_small(dir, name, 1 << 20, &out, NULL), 0);
    assert_string_equal(td_buf_text(&out), text);
}

/* Stand-ins that are short, interrupted, or fail. */
static int calls, fail_at, fail_with;

static bool fails(void) {
    calls++;
    if (calls != fail_at)
        return false;
    errno = fail_with;
    return true;
}

static ssize_t short_pread(int fd, void *data, size_t len, off_t offset) {
    if (++calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return pread(fd, data, len > 3 ? 3 : len, offset);
}

static ssize_t short_pwrite(int fd, const void *data, size_t len, off_t offset) {
    if (++calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return pwrite(fd, data, len > 3 ? 3 : len, offset);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t len, off_t offset) {
    return fails() ? -1 : pwrite(fd, data, len, offset);
}

static int failing_fsync(int fd) {
    return fails() ? -1 : fsync(fd);
}

static int failing_renameat2(int olddir, const char *oldname, int newdir, const char *newname, unsigned flags) {
    return fails() ? -1 : renameat2(olddir, oldname, newdir, newname, flags);
}

static ssize_t zero_pwrite(int fd, const void *data, size_t len, off_t offset) {
    (void)fd, (void)data, (void)len, (void)offset;
    return 0;
}

static void whole_in_spite_of_short_counts(void **state) {
    (void)state;
    char back[32] = "";
    TD_AUTOCLOSE int fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    calls = 0;
    td_sys.pwrite = short_pwrite;
    td_sys.pread = short_pread;
    assert_int_equal(td_pwrite_all(fd, "0123456789", 10, 5), 0);
    assert_int_equal(td_pread_all(fd, back, 10, 5), 10);
    assert_memory_equal(back, "0123456789", 10);
    /* The end of the file ends the read. */
    assert_int_equal(td_pread_all(fd, back, sizeof(back), 5), 10);
    assert_int_equal(td_pread_all(fd, back, sizeof(back), 100), 0);
    assert_int_equal(td_pread_all(fd, back, 5, 0), 5);
    assert_memory_equal(back, "\0\0\0\0\0", 5);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

static void errors_come_back(void **state) {
    (void)state;
    char back[4];
    TD_AUTOCLOSE int fd = openat(dir, "f", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(td_pwrite_all(fd, "x", 1, 0), -EBADF);
    assert_int_equal(td_write_all(fd, "x", 1), -EBADF);
    assert_int_equal(td_pread_all(-1, back, sizeof(back), 0), -EBADF);
    td_sys.pwrite = zero_pwrite;
    assert_int_equal(td_pwrite_all(fd, "x", 1, 0), -EIO);
    assert_int_equal(td_pwrite_all(fd, "", 0, 0), 0);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

static void writes_through_a_pipe(void **state) {
    (void)state;
    int ends[2];
    char back[8] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(td_write_all(ends[1], "through", 7), 0);
    assert_int_equal(read(ends[0], back, sizeof(back)), 7);
    assert_memory_equal(back, "through", 7);
    close(ends[0]);
    close(ends[1]);
}

static void reads_small_files(void **state) {
    (void)state;
    struct td_error err = {0};
    TD_AUTOBUF struct td_buf out = {0};
    td_buf_puts(&out, "what was there before");
    assert_int_equal(td_replace_small(dir, "f", "0123456789", 10, NULL), 0);
    assert_int_equal(td_read_small(dir, "f", 10, &out, &err), 0);
    assert_string_equal(out.data, "0123456789");
    assert_int_equal(td_read_small(dir, "f", 9, &out, &err), -EFBIG);
    assert_non_null(strstr(err.text, "more than 9 bytes"));
    assert_int_equal(td_read_small(dir, "none", 9, &out, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open none: No such file or directory");

    /* More than one chunk. */
    TD_AUTOBUF struct td_buf big = {0};
    for (int i = 0; i < 3000; i++)
        td_buf_printf(&big, "%d,", i);
    assert_int_equal(td_replace_small(dir, "f", big.data, big.len, NULL), 0);
    assert_int_equal(td_read_small(dir, "f", big.len, &out, NULL), 0);
    assert_int_equal(out.len, big.len);
    assert_memory_equal(out.data, big.data, big.len);
    assert_int_equal(td_read_small(dir, "f", big.len - 1, &out, NULL), -EFBIG);

    /* A file whose size stat does not tell. */
    assert_int_equal(td_read_small(AT_FDCWD, "/proc/self/status", 65536, &out, NULL), 0);
    assert_true(out.len > 100);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

static void reads_nothing_but_files(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf out = {0};
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(td_read_small(dir, "fifo", 100, &out, NULL), -EINVAL); /* and does not hang */
    assert_int_equal(unlinkat(dir, "fifo", 0), 0);

    assert_int_equal(td_replace_small(dir, "f", "x", 1, NULL), 0);
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_int_equal(td_read_small(dir, "link", 100, &out, NULL), -ELOOP);
    assert_int_equal(td_read_small(dir, ".", 100, &out, NULL), -EINVAL);
    assert_int_equal(unlinkat(dir, "link", 0), 0);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

static void replaces(void **state) {
    (void)state;
    struct stat st;
    mode_t mask = umask(077);
    assert_int_equal(td_replace_small(dir, "f", "old", 3, NULL), 0);
    umask(mask);
    assert_int_equal(fstatat(dir, "f", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644);
    assert_int_equal(td_replace_small(dir, "f", "newer", 5, NULL), 0);
    assert_content("f", "newer");
    assert_int_equal(names(), 1);

    /* What an earlier crash left is in nobody's way. */
    TD_AUTOCLOSE int stale = openat(dir, ".f.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0);
    assert_int_equal(write(stale, "stale and longer", 16), 16);
    assert_int_equal(td_replace_small(dir, "f", "third", 5, NULL), 0);
    assert_content("f", "third");
    assert_int_equal(names(), 1);

    /* A symlink in its place is replaced, and what it points to is left alone. */
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_int_equal(td_replace_small(dir, "link", "own", 3, NULL), 0);
    assert_content("link", "own");
    assert_content("f", "third");
    assert_int_equal(unlinkat(dir, "link", 0), 0);

    assert_int_equal(mkdirat(dir, "sub", 0700), 0);
    assert_int_equal(td_replace_small(dir, "sub/f", "", 0, NULL), 0);
    assert_content("sub/f", "");
    assert_int_equal(unlinkat(dir, "sub/f", 0), 0);
    assert_int_equal(unlinkat(dir, "sub", AT_REMOVEDIR), 0);
    assert_int_equal(td_replace_small(dir, "none/f", "x", 1, NULL), -ENOENT);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

/* Fail each call in its turn: the old file is whole, and no other name is left. */
static void a_failed_replace_leaves_the_old_file(void **state) {
    (void)state;
    static const struct {
        const char *call;
        int errnum;
    } rows[] = {{"pwrite", ENOSPC}, {"fsync", EIO}, {"renameat2", EROFS}};
    assert_int_equal(td_replace_small(dir, "f", "old", 3, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct td_error err = {0};
        calls = 0;
        fail_at = 1;
        fail_with = rows[i].errnum;
        td_sys = td_libc;
        if (i == 0)
            td_sys.pwrite = failing_pwrite;
        else if (i == 1)
            td_sys.fsync = failing_fsync;
        else
            td_sys.renameat2 = failing_renameat2;
        assert_int_equal(td_replace_small(dir, "f", "new", 3, &err), -rows[i].errnum);
        assert_int_equal(err.code, rows[i].errnum);
        assert_memory_equal(err.text, "cannot write f: ", 16);
        assert_content("f", "old");
        assert_int_equal(names(), 1);
    }
    /* The directory's sync comes after the rename: the failure is told, and the file is whole all the same. */
    td_sys = td_libc;
    td_sys.fsync = failing_fsync;
    calls = 0;
    fail_at = 2;
    fail_with = EIO;
    assert_int_equal(td_replace_small(dir, "f", "new", 3, NULL), -EIO);
    assert_content("f", "new");
    assert_int_equal(names(), 1);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
}

static void the_table_is_the_library(void **state) {
    (void)state;
    assert_memory_equal(&td_sys, &td_libc, sizeof(td_sys));
    assert_ptr_equal(td_libc.pread, pread);
    assert_ptr_equal(td_libc.renameat2, renameat2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_library),
        cmocka_unit_test_teardown(whole_in_spite_of_short_counts, restore_libc),
        cmocka_unit_test_teardown(errors_come_back, restore_libc),
        cmocka_unit_test(writes_through_a_pipe),
        cmocka_unit_test(reads_small_files),
        cmocka_unit_test(reads_nothing_but_files),
        cmocka_unit_test(replaces),
        cmocka_unit_test_teardown(a_failed_replace_leaves_the_old_file, restore_libc),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
