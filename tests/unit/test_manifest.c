/* sync/manifest.h: what sha256sum(1) writes, and what it accepts, with the real program. */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/manifest.h"

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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int root = -1, store = -1;
static const uint8_t zeros[TD_HASH_LEN], ones[TD_HASH_LEN] = {1, 1, 1};

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-manifest-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || mkdirat(root, ".twindock", 0700) < 0)
        return -1;
    store = openat(root, ".twindock", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return store < 0 ? -1 : 0;
}

static const char *const names[] = {"plain",    " lead",    "trail ",      "new\nline",      "back\\slash", "\\lead",
                                    "\\n",      "cr\rhere", "cr at end\r", "*star",          "-",           "--delete",
                                    "\xff\xfe", "#",        "a  b",        "SHA256 (x) = y", "\x01\x7f\t",  ".hidden",
                                    "end\n"};
#define NAMES (sizeof(names) / sizeof(names[0]))

static int remove_scratch(void **state) {
    (void)state;
    td_sys = td_libc;
    unlinkat(store, TD_MANIFEST_NAME, 0);
    unlinkat(store, TD_MANIFEST_LONG_NAME, 0);
    for (size_t i = 0; i < NAMES; i++) {
        unlinkat(root, names[i], 0);
        char path[300];
        snprintf(path, sizeof(path), "M\\x/%s", names[i]);
        unlinkat(root, path, 0);
    }
    unlinkat(root, "M\\x", AT_REMOVEDIR);
    close(store);
    if (unlinkat(root, ".twindock", AT_REMOVEDIR) < 0) /* and nothing temporary is left in it */
        return -1;
    close(root);
    return rmdir(scratch);
}

static void expect_line(const char *prefix, const char *path, const char *wanted) {
    TD_AUTOBUF struct td_buf out = {0};
    td_manifest_line(&out, zeros, prefix, path);
    const char *text = td_buf_text(&out);
    size_t escaped = *text == '\\';
    assert_int_equal(strspn(text + escaped, "0"), 64);
    assert_memory_equal(text + escaped + 64, "  ", 2);
    TD_AUTOBUF struct td_buf got = {0};
    td_buf_puts(&got, escaped ? "\\" : "");
    td_buf_puts(&got, text + escaped + 66);
    assert_string_equal(td_buf_text(&got), wanted);
}

static void lines(void **state) {
    (void)state;
    expect_line("M", "a/b", "M/a/b\n");
    expect_line("", "a", "a\n");
    expect_line(".", "a", "a\n");
    expect_line("a/b", "c", "a/b/c\n");
    expect_line("M", "new\nline", "\\M/new\\nline\n");
    expect_line("M", "c\rr", "\\M/c\\rr\n");
    expect_line("M", "\\", "\\M/\\\\\n");
    expect_line("M\\", "x", "\\M\\\\/x\n");
    expect_line(".", "-", "./-\n");
    expect_line("M", "-", "M/-\n");
    expect_line(".", " *", " *\n");
    expect_line(".", "\xff", "\xff\n");
}

static void hash_of(const char *text, uint8_t hash[TD_HASH_LEN]) {
    struct td_digest *digest = td_digest_new(NULL);
    assert_non_null(digest);
    td_digest_start(digest);
    td_digest_add(digest, text, strlen(text));
    td_digest_end(digest, hash);
    td_digest_free(digest);
}

/* Run sha256sum in the scratch directory; its standard output goes to `out`. */
static int sha256sum(char *const *argv, struct td_buf *out) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 2);
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        setenv("LC_ALL", "C", 1);
        if (fchdir(root) == 0)
            execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    char chunk[4096];
    ssize_t n;
    while ((n = read(ends[0], chunk, sizeof(chunk))) > 0)
        td_buf_add(out, chunk, (size_t)n);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void put(int dir, const char *name, const char *text) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void writes_as_coreutils_does(void **state) {
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        TD_AUTOBUF struct td_buf theirs = {0};
        TD_AUTOBUF struct td_buf ours = {0};
        uint8_t hash[TD_HASH_LEN];
        if (strcmp(names[i], "-") == 0)
            continue; /* theirs cannot name it */
        put(root, names[i], names[i]);
        char program[] = "sha256sum", dashes[] = "--", *name = strdup(names[i]);
        assert_int_equal(sha256sum((char *[]){program, dashes, name, NULL}, &theirs), 0);
        free(name);
        hash_of(names[i], hash);
        td_manifest_line(&ours, hash, ".", names[i]);
        assert_string_equal(td_buf_text(&ours), td_buf_text(&theirs));
    }
}

/* Begin, add every name with its content as `prefix` has it, commit. */
static bool write_manifest(const char *prefix) {
    struct td_manifest *manifest;
    struct td_error err = {0};
    bool changed = false;
    uint8_t hash[TD_HASH_LEN];
    assert_int_equal(td_manifest_begin(store, prefix, &manifest, &err), 0);
    for (size_t i = 0; i < NAMES; i++) {
        hash_of(names[i], hash);
        assert_int_equal(td_manifest_add(manifest, names[i], hash, &err), 0);
    }
    if (td_manifest_commit(manifest, &changed, &err) != 0)
        fail_msg("%s", err.text);
    return changed;
}

static int check_manifest(void) {
    TD_AUTOBUF struct td_buf out = {0};
    char program[] = "sha256sum", check[] = "-c", strict[] = "--strict", file[] = ".twindock/SHA256SUMS";
    return sha256sum((char *[]){program, check, strict, file, NULL}, &out);
}

static void coreutils_accepts_it(void **state) {
    (void)state;
    assert_int_equal(mkdirat(root, "M\\x", 0700), 0);
    for (size_t i = 0; i < NAMES; i++) {
        char path[300];
        snprintf(path, sizeof(path), "M\\x/%s", names[i]);
        put(root, path, names[i]);
        put(root, names[i], names[i]);
    }
    static const char *const prefixes[] = {"M\\x", ".", ""};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write_manifest(prefixes[i]), i < 2); /* "." and "" are the same */
        assert_int_equal(check_manifest(), 0);
    }
    put(root, "back\\slash", "rotten");
    assert_int_equal(check_manifest(), 1);
}

static void unchanged_is_not_written(void **state) {
    (void)state;
    struct stat before, after;
    assert_true(write_manifest("M"));
    assert_int_equal(fstatat(store, TD_MANIFEST_NAME, &before, 0), 0);
    assert_int_equal(before.st_mode & 07777, 0644);
    assert_false(write_manifest("M"));
    assert_int_equal(fstatat(store, TD_MANIFEST_NAME, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_true(write_manifest("N"));
    assert_int_equal(fstatat(store, TD_MANIFEST_NAME, &after, 0), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    put(store, TD_MANIFEST_NAME, "damaged"); /* what stands there is read, not remembered */
    assert_true(write_manifest("N"));
}

static bool exists(const char *name) {
    return faccessat(store, name, F_OK, 0) == 0;
}

static char *path_of_length(size_t len) {
    char *path = malloc(len + 1);
    assert_non_null(path);
    for (size_t i = 0; i < len; i++)
        path[i] = i % 100 == 99 && i + 1 < len ? '/' : 'p';
    path[len] = '\0';
    return path;
}

static void long_paths_have_their_own(void **state) {
    (void)state;
    static const size_t lengths[] = {PATH_MAX - 1, PATH_MAX - 2, PATH_MAX - 3, PATH_MAX, 3 * PATH_MAX};
    static const char *const prefixes[] = {"", "M", "."};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 3; j++) {
            struct td_manifest *manifest;
            bool changed;
            char *path = path_of_length(lengths[i]);
            size_t opened = lengths[i] + (j == 1 ? 2 : 0);
            assert_int_equal(td_manifest_begin(store, prefixes[j], &manifest, NULL), 0);
            assert_int_equal(td_manifest_add(manifest, path, ones, NULL), 0);
            assert_int_equal(td_manifest_commit(manifest, &changed, NULL), 0);
            assert_int_equal(exists(TD_MANIFEST_LONG_NAME), opened >= PATH_MAX);
            struct stat st;
            assert_int_equal(fstatat(store, TD_MANIFEST_NAME, &st, 0), 0);
            assert_int_equal(st.st_size == 0, opened >= PATH_MAX);
            free(path);
        }
    assert_true(exists(TD_MANIFEST_LONG_NAME));
    assert_true(write_manifest("M")); /* none any more */
    assert_false(exists(TD_MANIFEST_LONG_NAME));
}

/* A path of exactly PATH_MAX - 1 bytes can be opened, one more cannot: that is where the line must be drawn. */
static void the_kernel_agrees(void **state) {
    (void)state;
    char *fits = path_of_length(PATH_MAX - 1), *too_long = path_of_length(PATH_MAX);
    assert_int_equal(openat(root, fits, O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(openat(root, too_long, O_RDONLY), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    free(fits);
    free(too_long);
}

static void large(void **state) {
    (void)state;
    struct td_manifest *manifest;
    bool changed;
    assert_int_equal(td_manifest_begin(store, "M", &manifest, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%08d", i);
        assert_int_equal(td_manifest_add(manifest, name, ones, NULL), 0);
    }
    assert_int_equal(td_manifest_commit(manifest, &changed, NULL), 0);
    assert_true(changed);
    TD_AUTOBUF struct td_buf all = {0};
    assert_int_equal(td_read_small(store, TD_MANIFEST_NAME, 4 << 20, &all, NULL), 0);
    assert_int_equal(all.len, 20000 * (64 + 2 + 2 + 8 + 1));
    for (size_t i = 0; i < 20000; i++) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "  M/%08zu\n", i);
        assert_memory_equal(all.data + i * 77 + 64, wanted, 13);
    }
}

static void cancelled(void **state) {
    (void)state;
    struct td_manifest *manifest;
    put(store, TD_MANIFEST_NAME, "old");
    put(store, "." TD_MANIFEST_NAME ".new", "left by a run that was cut off");
    assert_int_equal(td_manifest_begin(store, "M", &manifest, NULL), 0);
    assert_int_equal(td_manifest_add(manifest, "x", ones, NULL), 0);
    td_manifest_cancel(manifest);
    td_manifest_cancel(NULL);
    TD_AUTOBUF struct td_buf all = {0};
    assert_int_equal(td_read_small(store, TD_MANIFEST_NAME, 100, &all, NULL), 0);
    assert_string_equal(td_buf_text(&all), "old");
}

/* --- faults ------------------------------------------------------------------------------------------------------ */

static ssize_t full_pwrite(int fd, const void *data, size_t len, off_t offset) {
    (void)fd, (void)data, (void)len, (void)offset;
    errno = ENOSPC;
    return -1;
}

static int bad_fsync(int fd) {
    (void)fd;
    errno = EIO;
    return -1;
}

static ssize_t lying_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    if (n > 0)
        *(char *)data ^= 1;
    return n;
}

static int bad_rename(int olddir, const char *old, int newdir, const char *new, unsigned flags) {
    (void)olddir, (void)old, (void)newdir, (void)new, (void)flags;
    errno = EROFS;
    return -1;
}

static void failures_leave_the_old_one(void **state) {
    (void)state;
    struct td_sys faults[4] = {td_libc, td_libc, td_libc, td_libc};
    static const int errors[4] = {ENOSPC, EIO, EIO, EROFS};
    faults[0].pwrite = full_pwrite;
    faults[1].fsync = bad_fsync;
    faults[2].pread = lying_pread;
    faults[3].renameat2 = bad_rename;
    put(store, TD_MANIFEST_NAME, "old");
    for (int i = 0; i < 4; i++) {
        struct td_manifest *manifest;
        struct td_error err = {0};
        bool changed = true;
        td_sys = faults[i];
        assert_int_equal(td_manifest_begin(store, "M", &manifest, &err), 0);
        assert_int_equal(td_manifest_add(manifest, "x", ones, &err), 0);
        assert_int_equal(td_manifest_commit(manifest, &changed, &err), -errors[i]);
        assert_int_equal(err.code, errors[i]);
        assert_non_null(strstr(err.text, "SHA256SUMS"));
        assert_false(changed);
        td_sys = td_libc;
        TD_AUTOBUF struct td_buf all = {0};
        assert_int_equal(td_read_small(store, TD_MANIFEST_NAME, 100, &all, NULL), 0);
        assert_string_equal(td_buf_text(&all), "old");
        assert_false(exists("." TD_MANIFEST_NAME ".new"));
    }
}

int main(void) {
#define in_scratch(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        in_scratch(writes_as_coreutils_does),
        in_scratch(coreutils_accepts_it),
        in_scratch(unchanged_is_not_written),
        in_scratch(long_paths_have_their_own),
        in_scratch(the_kernel_agrees),
        in_scratch(large),
        in_scratch(cancelled),
        in_scratch(failures_leave_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
