/* sync/walk.h: everything once, parents first, whatever the tree looks like. */
#include "loopdev.h"

#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/sync/walk.h"

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
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int root = -1;

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-walk-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch) || chmod(scratch, 0755) < 0)
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

/* What the walk said, as one line for each entry, sorted: "<type><error> <path>". */
struct seen {
    char **line;
    size_t count, room;
    size_t stop_at;   /* return 77 at this many entries */
    size_t fds, most; /* open descriptors, if watched */
    bool watch_fds;
    atomic_bool *cancel;
    uint64_t last_ino;
    bool in_order;
};

static size_t open_descriptors(void) {
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static char type_of(const struct td_entry *entry) {
    static const struct {
        mode_t type;
        char letter;
    } letters[] = {{S_IFDIR, 'd'}, {S_IFREG, '-'}, {S_IFLNK, 'l'}, {S_IFIFO, 'p'}};
    for (size_t i = 0; i < 4; i++)
        if ((entry->mode & S_IFMT) == letters[i].type)
            return letters[i].letter;
    return '?';
}

static int collect(void *ctx, const struct td_entry *entry) {
    struct seen *seen = ctx;
    if (seen->count == seen->room) {
        seen->room = seen->room ? seen->room * 2 : 64;
        seen->line = reallocarray(seen->line, seen->room, sizeof(*seen->line));
    }
    size_t size = strlen(entry->path) + 32;
    char *line = malloc(size);
    if (entry->error)
        snprintf(line, size, "%c%d %s", type_of(entry), entry->error, entry->path);
    else
        snprintf(line, size, "%c %s", type_of(entry), entry->path);
    seen->line[seen->count++] = line;
    if (seen->watch_fds && seen->count % 64 == 0) {
        size_t now = open_descriptors();
        seen->most = now > seen->most ? now : seen->most;
    }
    if (seen->cancel && seen->count == 5)
        atomic_store(seen->cancel, true);
    return seen->stop_at && seen->count == seen->stop_at ? 77 : 0;
}

static void seen_free(struct seen *seen) {
    for (size_t i = 0; i < seen->count; i++)
        free(seen->line[i]);
    free(seen->line);
    *seen = (struct seen){0};
}

static int remove_scratch(void **state) {
    (void)state;
    close(root);
    must_run("rm", "-rf", "--one-file-system", scratch, NULL);
    return 0;
}

static void directory(const char *path) {
    assert_int_equal(td_make_parents(root, path), 0);
    TD_AUTOCLOSE int parent = td_open_beneath(root, "", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(mkdirat(parent, path, 0755), 0);
}

static void file(const char *path) {
    assert_int_equal(td_make_parents(root, path), 0);
    int fd = td_open_beneath(root, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static int by_text(const void *a, const void *b) {
    return strcmp(strchr(*(const char *const *)a, ' '), strchr(*(const char *const *)b, ' '));
}

static void expect_parents_first(const struct seen *seen) {
    for (size_t i = 0; i < seen->count; i++) {
        const char *path = strchr(seen->line[i], ' ') + 1, *slash = strrchr(path, '/');
        if (*path == '\0') {
            assert_int_equal(i, 0);
            continue;
        }
        size_t len = slash ? (size_t)(slash - path) : 0;
        bool found = false;
        for (size_t j = 0; j < i && !found; j++) {
            const char *above = strchr(seen->line[j], ' ') + 1;
            found = strlen(above) == len && memcmp(above, path, len) == 0;
        }
        assert_true(found);
    }
}

static void expect_walk(const struct td_walk_options *options, const char *const *lines) {
    struct seen seen = {0};
    struct td_error err = {0};
    if (td_walk(root, options, collect, &seen, &err) != 0)
        fail_msg("%s", err.text);
    expect_parents_first(&seen);
    qsort(seen.line, seen.count, sizeof(*seen.line), by_text);
    size_t n = 0;
    for (; lines[n]; n++) {
        assert_true(n < seen.count);
        assert_string_equal(seen.line[n], lines[n]);
    }
    assert_int_equal(seen.count, n);
    seen_free(&seen);
}

static void everything_once(void **state) {
    (void)state;
    static const char *const lines[] = {"d ",     "d a",         "d a/b", "- a/b/c",      "- a/d", "p fifo",
                                        "l link", "- new\nline", "d z",   "- z/\xff\xfe", NULL};
    struct td_walk_options options = {0};
    file("a/b/c");
    file("a/d");
    file("z/\xff\xfe");
    file("new\nline");
    assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
    assert_int_equal(symlinkat("a", root, "link"), 0); /* to a directory: not followed */
    expect_walk(&options, lines);
}

static int check_entry(void *ctx, const struct td_entry *entry) {
    struct stat st;
    int *count = ctx;
    (*count)++;
    assert_int_equal(fstatat(root, entry->path, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0);
    assert_int_equal(entry->ino, st.st_ino);
    assert_int_equal(entry->dev, st.st_dev);
    assert_int_equal(entry->mode, st.st_mode);
    assert_true(td_same_time(&entry->mtime, &st.st_mtim));
    if (S_ISLNK(st.st_mode))
        assert_string_equal(entry->target, "somewhere");
    else
        assert_null(entry->target);
    return 0;
}

static void entries_are_described(void **state) {
    (void)state;
    int count = 0;
    struct td_walk_options options = {0};
    file("a/b");
    assert_int_equal(symlinkat("somewhere", root, "link"), 0);
    assert_int_equal(td_walk(root, &options, check_entry, &count, NULL), 0);
    assert_int_equal(count, 4);
}

static int check_order(void *ctx, const struct td_entry *entry) {
    struct seen *seen = ctx;
    if (*entry->path && entry->ino < seen->last_ino)
        seen->in_order = false;
    if (*entry->path)
        seen->last_ino = entry->ino;
    seen->count++;
    return 0;
}

static void inode_order_within_a_directory(void **state) {
    (void)state;
    struct seen seen = {.in_order = true};
    struct td_walk_options options = {0};
    char name[100];
    for (int i = 0; i < 3000; i++) { /* more than one read of the directory */
        snprintf(name, sizeof(name), "%d-%064d", i * 7919 % 3000, i);
        file(name);
    }
    assert_int_equal(td_walk(root, &options, check_order, &seen, NULL), 0);
    assert_int_equal(seen.count, 3001);
    assert_true(seen.in_order);
}

static void excluded_and_skipped(void **state) {
    (void)state;
    char tmp[] = "*.tmp", cache[] = "cache/";
    char *patterns[] = {tmp, cache};
    static const char *const skip[] = {".twindock", "lost+found", NULL};
    static const char *const lines[] = {"d ", "d a", "d a/.twindock", "- a/.twindock/x", "- a/keep", "- cache2", NULL};
    struct td_exclude *exclude;
    assert_int_equal(td_exclude_make(patterns, 2, &exclude, NULL), 0);
    struct td_walk_options options = {.exclude = exclude, .skip_top = skip};
    file("a/x.tmp");
    file("a/keep");
    file("a/cache/inside");
    file("a/.twindock/x"); /* only at the top */
    file(".twindock/y");
    directory("lost+found");
    file("cache2");
    expect_walk(&options, lines);
    td_exclude_free(exclude);
}

static void stops_when_told(void **state) {
    (void)state;
    atomic_bool cancel = false;
    struct seen seen = {.stop_at = 3};
    struct td_walk_options options = {.cancel = &cancel};
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "b/%d", i);
        file(name);
    }
    assert_int_equal(td_walk(root, &options, collect, &seen, NULL), 77);
    assert_int_equal(seen.count, 3);
    seen_free(&seen);
    seen.cancel = &cancel;
    struct td_error err = {0};
    assert_int_equal(td_walk(root, &options, collect, &seen, &err), -ECANCELED);
    assert_in_range(seen.count, 5, 6);
    seen_free(&seen);
}

static void unreadable_directories(void **state) {
    (void)state;
    static const char *const lines[] = {"d ", "d13 closed", "d open", "- open/y", NULL};
    struct td_walk_options options = {0};
    if (geteuid() != 0)
        skip();
    directory("closed");
    file("closed/x");
    directory("open");
    file("open/y");
    assert_int_equal(fchmodat(root, "closed", 0, 0), 0);
    assert_int_equal(fchmodat(root, "open/y", 0, 0), 0); /* a file's own mode does not matter here */
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0); /* or /proc/self would be root's */
    struct seen seen = {0};
    int rc = td_walk(root, &options, collect, &seen, NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, 0);
    qsort(seen.line, seen.count, sizeof(*seen.line), by_text);
    for (size_t i = 0; lines[i]; i++)
        assert_string_equal(seen.line[i], lines[i]);
    assert_int_equal(seen.count, 4);
    seen_free(&seen);
}

static void an_unreadable_root(void **state) {
    (void)state;
    struct seen seen = {0};
    struct td_error err = {0};
    struct td_walk_options options = {0};
    file("plain");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(td_walk(fd, &options, collect, &seen, &err), -ENOTDIR);
    assert_int_equal(seen.count, 0);
    assert_int_equal(err.code, ENOTDIR);
    close(fd);
    seen_free(&seen);
}

static void other_filesystems(void **state) {
    (void)state;
    static const char *const crossed[] = {"d ", "d m", "- m/inside", "- x", NULL};
    static const char *const stayed[] = {"d ", "d18 m", "- x", NULL}; /* EXDEV */
    struct td_walk_options options = {0};
    char path[PATH_MAX + 8];
    if (geteuid() != 0)
        skip();
    directory("m");
    file("x");
    snprintf(path, sizeof(path), "%s/m", scratch);
    assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
    file("m/inside");
    options.one_filesystem = true;
    struct seen one = {0}, all = {0};
    int rc1 = td_walk(root, &options, collect, &one, NULL);
    options.one_filesystem = false;
    int rc2 = td_walk(root, &options, collect, &all, NULL);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    assert_int_equal(rc1 | rc2, 0);
    qsort(one.line, one.count, sizeof(*one.line), by_text);
    qsort(all.line, all.count, sizeof(*all.line), by_text);
    assert_int_equal(one.count, 3);
    assert_int_equal(all.count, 4);
    for (size_t i = 0; stayed[i]; i++)
        assert_string_equal(one.line[i], stayed[i]);
    for (size_t i = 0; crossed[i]; i++)
        assert_string_equal(all.line[i], crossed[i]);
    seen_free(&one);
    seen_free(&all);
}

static int remove_on_the_way(void *ctx, const struct td_entry *entry) {
    struct seen *seen = ctx;
    if (strcmp(entry->path, "a") == 0)
        assert_int_equal(unlinkat(root, "a/b/c", 0) | unlinkat(root, "a/b", AT_REMOVEDIR), 0);
    return collect(seen, entry);
}

static void what_disappears_is_left_out(void **state) {
    (void)state;
    struct seen seen = {0};
    struct td_walk_options options = {0};
    file("a/b/c");
    file("a/d");
    assert_int_equal(td_walk(root, &options, remove_on_the_way, &seen, NULL), 0);
    assert_int_equal(seen.count, 3);
    expect_parents_first(&seen);
    seen_free(&seen);
}

static int put_symlink_in_the_way(void *ctx, const struct td_entry *entry) {
    struct seen *seen = ctx;
    if (strcmp(entry->path, "a/d") == 0) {
        assert_int_equal(unlinkat(root, "a/b", AT_REMOVEDIR), 0);
        assert_int_equal(symlinkat("/", root, "a/b"), 0);
    }
    return collect(seen, entry);
}

static void a_directory_that_becomes_a_symlink(void **state) {
    (void)state;
    static const char *const lines[] = {"d ", "d a", "l a/b", "- a/d", NULL};
    struct seen seen = {0};
    struct td_walk_options options = {0};
    directory("a/b");
    file("a/d"); /* emitted while a/b waits for its visit */
    assert_int_equal(td_walk(root, &options, put_symlink_in_the_way, &seen, NULL), 0);
    qsort(seen.line, seen.count, sizeof(*seen.line), by_text);
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; lines[i]; i++)
        assert_string_equal(seen.line[i], lines[i]);
    seen_free(&seen);
}

/* A chain of directories, `depth` long; in each a file and, if wanted, a second directory that is visited after the
 * chain below has been left, or before it: both occur, since inode order decides. */
static void deep_tree(int depth, bool comb, const char *name) {
    int fd = td_open_beneath(root, "", O_RDONLY | O_DIRECTORY, 0);
    for (int i = 0; i < depth; i++) {
        if (comb && i % 2)
            assert_int_equal(mkdirat(fd, "side", 0755), 0);
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        if (comb && i % 2 == 0)
            assert_int_equal(mkdirat(fd, "side", 0755), 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(openat(fd, "leaf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    close(fd);
}

static void expect_deep(int depth, bool comb, size_t name_len) {
    struct seen seen = {.watch_fds = true};
    struct td_walk_options options = {.one_filesystem = true};
    struct td_error err = {0};
    size_t before = open_descriptors(), longest = 0;
    if (td_walk(root, &options, collect, &seen, &err) != 0)
        fail_msg("%.200s", err.text);
    assert_int_equal(seen.count, 2 + (size_t)depth * (comb ? 2 : 1));
    for (size_t i = 0; i < seen.count; i++) {
        assert_true(seen.line[i][1] == ' '); /* no errors */
        size_t len = strlen(seen.line[i]) - 2;
        longest = len > longest ? len : longest;
    }
    assert_int_equal(longest, (size_t)depth * (name_len + 1) + strlen("leaf"));
    assert_true(seen.most - before < 60);
    assert_int_equal(open_descriptors(), before);
    seen_free(&seen);
}

static void ten_thousand_levels(void **state) {
    (void)state;
    deep_tree(10000, false, "d");
    expect_deep(10000, false, 1);
}

static void paths_longer_than_path_max(void **state) {
    (void)state;
    char name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    deep_tree(300, true, name);
    expect_deep(300, true, 100);
}

static void a_deep_comb(void **state) {
    (void)state;
    deep_tree(3000, true, "d");
    expect_deep(3000, true, 1);
}

int main(void) {
    umask(022);
#define in_scratch(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        in_scratch(everything_once),
        in_scratch(entries_are_described),
        in_scratch(inode_order_within_a_directory),
        in_scratch(excluded_and_skipped),
        in_scratch(stops_when_told),
        in_scratch(unreadable_directories),
        in_scratch(an_unreadable_root),
        in_scratch(other_filesystems),
        in_scratch(what_disappears_is_left_out),
        in_scratch(a_directory_that_becomes_a_symlink),
        in_scratch(ten_thousand_levels),
        in_scratch(paths_longer_than_path_max),
        in_scratch(a_deep_comb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
