/* sync/hash.h: what is read is what the medium holds, all of it, and not a mixture of two versions. */
#include "loopdev.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/hash.h"

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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[PATH_MAX];
static int root = -1;
static void *buffer;

static int open_scratch(const char *parent) {
    snprintf(scratch, sizeof(scratch), "%s/twindock-hash-XXXXXX", parent);
    if (!mkdtemp(scratch))
        return -1;
    root = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buffer = td_buffer_new(TD_READ_SIZE);
    return root < 0 || !buffer ? -1 : 0;
}

static int on_disk(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    return open_scratch(tmp && *tmp ? tmp : "/tmp");
}

static int in_memory(void **state) {
    (void)state;
    return open_scratch("/dev/shm");
}

static int clean(void **state) {
    (void)state;
    td_sys = td_libc;
    unlinkat(root, "file", 0);
    free(buffer);
    buffer = NULL;
    close(root);
    root = -1;
    return rmdir(scratch);
}

/* `len` bytes that depend on their position, hashed on the way. */
static void make_file(const char *name, size_t len, uint8_t hash[TD_HASH_LEN]) {
    uint8_t *data = malloc(len + 1);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 131 + (i >> 8) * 7 + (i >> 16));
    int fd = td_open_beneath(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, data, len), 0);
    close(fd);
    struct td_digest *digest = td_digest_new(NULL);
    assert_non_null(digest);
    assert_int_equal(td_digest_start(digest), 0);
    assert_int_equal(td_digest_add(digest, data, len), 0);
    assert_int_equal(td_digest_end(digest, hash), 0);
    td_digest_free(digest);
    free(data);
}

static void expect_hash(const char *name, const uint8_t hash[TD_HASH_LEN], uint64_t bytes) {
    struct td_hash_result result;
    td_hash_file(root, name, buffer, &result);
    assert_int_equal(result.error, 0);
    assert_false(result.changing);
    assert_int_equal(result.bytes, bytes);
    assert_int_equal(result.stat.st_size, bytes);
    assert_memory_equal(result.hash, hash, TD_HASH_LEN);
}

static void buffers_are_aligned(void **state) {
    (void)state;
    for (size_t size = 1; size < 20000; size += 4999) {
        char *one = td_buffer_new(size);
        assert_non_null(one);
        assert_int_equal((uintptr_t)one % TD_ALIGN, 0);
        memset(one, 0, size);
        free(one);
    }
}

static void every_length(void **state) {
    (void)state;
    static const size_t lengths[] = {0,
                                     1,
                                     511,
                                     512,
                                     513,
                                     4095,
                                     4096,
                                     4097,
                                     8191,
                                     65537,
                                     1 << 20,
                                     (1 << 20) - 1,
                                     (1 << 20) + 1,
                                     (2 << 20),
                                     (3 << 20) + 4097};
    uint8_t hash[TD_HASH_LEN];
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        make_file("file", lengths[i], hash);
        expect_hash("file", hash, lengths[i]);
    }
}

/* FIPS 180-4's example, so that not only our two ways agree. */
static void abc(void **state) {
    (void)state;
    static const uint8_t known[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    int fd = td_open_beneath(root, "file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(td_write_all(fd, "abc", 3), 0);
    close(fd);
    expect_hash("file", known, 3);
}

/* Write `data` at each of the offsets of a file of `size` bytes that is otherwise one hole; compare with a plain read.
 */
static void expect_sparse(const off_t *offsets, size_t count, off_t size) {
    int fd = td_open_beneath(root, "file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(td_pwrite_all(fd, "island", 6, offsets[i]), 0);
    char *data = malloc((size_t)size);
    uint8_t hash[TD_HASH_LEN];
    assert_int_equal(td_pread_all(fd, data, (size_t)size, 0), size);
    close(fd);
    struct td_digest *digest = td_digest_new(NULL);
    td_digest_start(digest);
    td_digest_add(digest, data, (size_t)size);
    td_digest_end(digest, hash);
    td_digest_free(digest);
    free(data);
    expect_hash("file", hash, (uint64_t)size);
}

static void holes(void **state) {
    (void)state;
    static const off_t islands[] = {0, 100000, 3 << 20, (5 << 20) + 777, (9 << 20) - 6};
    expect_sparse(NULL, 0, 5000);
    expect_sparse(NULL, 0, 9 << 20);
    for (size_t first = 0; first < 5; first++)
        expect_sparse(islands + first, 5 - first, 9 << 20);
    expect_sparse(islands, 4, (9 << 20) + 123); /* ends in a hole, not at a block's end */
}

static void holes_are_not_read(void **state) {
    (void)state;
    struct td_medium medium;
    int fd = td_open_beneath(root, "file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_int_equal(td_pwrite_all(fd, "x", 1, (off_t)1 << 39), 0);
    close(fd);
    assert_int_equal(td_medium_open(root, "file", &medium, NULL), 0);
    uint64_t offset, len, expected = 0, read = 0;
    bool hole;
    int more;
    while ((more = td_medium_next(&medium, buffer, &offset, &len, &hole)) == 1) {
        assert_int_equal(offset, expected);
        expected += len;
        read += hole ? 0 : len;
    }
    assert_int_equal(more, 0);
    assert_int_equal(expected, (uint64_t)1 << 40);
    assert_in_range(read, 1, 1 << 21);
    assert_int_equal(td_medium_changed(&medium), 0);
    td_medium_close(&medium);
}

static void only_regular_files(void **state) {
    (void)state;
    struct td_hash_result result;
    static const char *const names[] = {"", "fifo", "link", "none", "../x"};
    static const int errors[] = {EINVAL, EINVAL, ELOOP, ENOENT, EXDEV};
    assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
    assert_int_equal(symlinkat("/etc/passwd", root, "link"), 0);
    for (int i = 0; i < 5; i++) {
        td_hash_file(root, names[i], buffer, &result);
        assert_int_equal(result.error, errors[i]);
        assert_true(td_hash_is_zero(result.hash));
    }
    unlinkat(root, "fifo", 0);
    unlinkat(root, "link", 0);
}

/* --- faults ------------------------------------------------------------------------------------------------------ */

static struct {
    int calls, fail_at, error;
    void (*meddle)(int call);
} fault;

static ssize_t faulty_pread(int fd, void *data, size_t len, off_t offset) {
    int call = ++fault.calls;
    if (fault.meddle)
        fault.meddle(call);
    if (fault.error && call >= fault.fail_at) {
        errno = fault.error;
        return -1;
    }
    return td_libc.pread(fd, data, len, offset);
}

static void set_fault(int fail_at, int error, void (*meddle)(int call)) {
    fault.calls = 0;
    fault.fail_at = fail_at;
    fault.error = error;
    fault.meddle = meddle;
    td_sys.pread = faulty_pread;
}

static void read_errors_are_told(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    make_file("file", 3 << 20, hash);
    for (int at = 1; at <= 3; at++) {
        struct td_hash_result result;
        set_fault(at, EIO, NULL);
        td_hash_file(root, "file", buffer, &result);
        assert_int_equal(result.error, EIO);
        assert_true(td_hash_is_zero(result.hash));
        assert_int_equal(fault.calls, at); /* not tried again and again */
    }
}

static int fsyncs;

static ssize_t refuse_direct(int fd, void *data, size_t len, off_t offset) {
    if (fcntl(fd, F_GETFL) & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return td_libc.pread(fd, data, len < 5000 ? len : 5000, offset); /* and in odd pieces */
}

static int count_fsync(int fd) {
    fsyncs++;
    return td_libc.fsync(fd);
}

static int readonly_fsync(int fd) {
    (void)fd;
    errno = EROFS;
    return -1;
}

static int failing_fsync(int fd) {
    (void)fd;
    errno = EIO;
    return -1;
}

static void falls_back_where_direct_reads_fail(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    struct td_hash_result result;
    make_file("file", 100001, hash);
    td_sys.pread = refuse_direct;
    td_sys.fsync = count_fsync;
    fsyncs = 0;
    expect_hash("file", hash, 100001);
    assert_int_equal(fsyncs, 1);
    td_sys.fsync = readonly_fsync;
    expect_hash("file", hash, 100001);
    td_sys.fsync = failing_fsync; /* then what is in the cache never reached the medium */
    td_hash_file(root, "file", buffer, &result);
    assert_int_equal(result.error, EIO);
}

/* Reads that end between two blocks, as after a signal, must not derail direct reading. */
static ssize_t short_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    return n > 10000 ? 10000 : n;
}

static ssize_t tiny_pread(int fd, void *data, size_t len, off_t offset) {
    ssize_t n = td_libc.pread(fd, data, len, offset);
    return n > 100 ? 100 : n;
}

static ssize_t interrupted_pread(int fd, void *data, size_t len, off_t offset) {
    errno = EINTR;
    return ++fault.calls % 2 ? -1 : td_libc.pread(fd, data, len, offset);
}

static void odd_reads(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    make_file("file", 50003, hash);
    td_sys.pread = short_pread;
    expect_hash("file", hash, 50003);
    td_sys.pread = tiny_pread;
    expect_hash("file", hash, 50003);
    td_sys.pread = interrupted_pread;
    expect_hash("file", hash, 50003);
}

/* --- files that change ------------------------------------------------------------------------------------------- */

static void write_into(int call) {
    (void)call;
    int fd = td_open_beneath(root, "file", O_WRONLY, 0);
    assert_int_equal(td_pwrite_all(fd, "changed", 7, 1000), 0);
    close(fd);
}

static void write_once(int call) {
    if (call == 2)
        write_into(call);
}

static void append(int call) {
    (void)call;
    int fd = td_open_beneath(root, "file", O_WRONLY | O_APPEND, 0);
    assert_int_equal(td_write_all(fd, "more", 4), 0);
    close(fd);
}

static void cut_off(int call) {
    struct stat st;
    (void)call;
    int fd = td_open_beneath(root, "file", O_WRONLY, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
    close(fd);
}

static void write_and_hide(int call) { /* the mtime is set back; ctime tells */
    struct stat st;
    assert_int_equal(fstatat(root, "file", &st, 0), 0);
    write_into(call);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(root, "file", times, 0), 0);
}

static void replace(int call) {
    char name[32];
    (void)call;
    snprintf(name, sizeof(name), "new");
    int fd = td_open_beneath(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(td_write_all(fd, "another file", 12), 0);
    close(fd);
    assert_int_equal(renameat(root, name, root, "file"), 0);
}

static void changing_files(void **state) {
    (void)state;
    static void (*const meddlers[])(int) = {write_into, append, cut_off, write_and_hide, replace};
    uint8_t hash[TD_HASH_LEN];
    for (size_t i = 0; i < sizeof(meddlers) / sizeof(meddlers[0]); i++) {
        struct td_hash_result result;
        make_file("file", 2 << 20, hash);
        set_fault(0, 0, meddlers[i]);
        td_hash_file(root, "file", buffer, &result);
        assert_int_equal(result.error, 0);
        assert_true(result.changing);
        assert_true(td_hash_is_zero(result.hash));
    }
}

static void one_change_is_read_over(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    struct td_hash_result result;
    make_file("file", 2 << 20, hash);
    set_fault(0, 0, write_once);
    td_hash_file(root, "file", buffer, &result);
    td_sys = td_libc;
    assert_int_equal(result.error, 0);
    assert_false(result.changing);
    expect_hash("file", result.hash, 2 << 20); /* what is there now, not what was */
    assert_memory_not_equal(result.hash, hash, TD_HASH_LEN);
}

/* A write in the same tick of the kernel's clock as the one before leaves the file's times as they are: right after a
 * write, the file must be given time. Without that some of these go unnoticed on kernels with coarse times. */
static void changes_within_one_tick(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct td_hash_result result;
        int fd = td_open_beneath(root, "file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(td_write_all(fd, "before", 6), 0);
        close(fd);
        set_fault(0, 0, NULL);
        fault.meddle = write_into;
        td_hash_file(root, "file", buffer, &result);
        td_sys = td_libc;
        assert_true(result.changing);
    }
}

static int stop_at_once(void *ctx, uint64_t bytes) {
    *(uint64_t *)ctx = bytes;
    return -ECANCELED;
}

static void may_be_watched(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    uint64_t seen = 0;
    struct td_hash_result result;
    struct td_hash_watch watch = {.tick = stop_at_once, .ctx = &seen};
    make_file("file", 5 << 20, hash);
    td_hash_file_watched(root, "file", buffer, &watch, &result);
    assert_int_equal(result.error, ECANCELED);
    assert_int_equal(seen, TD_READ_SIZE);
}

static void attaches_to_a_descriptor(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN];
    struct td_medium medium;
    struct td_error err = {0};
    uint64_t offset, len;
    bool hole;
    make_file("file", 10, hash);
    int fd = td_open_beneath(root, "file", O_RDONLY, 0);
    assert_int_equal(td_medium_attach(fd, &medium, &err), 0);
    assert_int_equal(medium.size, 10);
    assert_int_equal(td_medium_next(&medium, buffer, &offset, &len, &hole), 1);
    assert_int_equal(len, 10);
    assert_int_equal(td_medium_next(&medium, buffer, &offset, &len, &hole), 0);
    td_medium_close(&medium);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = td_open_beneath(root, "", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(td_medium_attach(fd, &medium, &err), -EINVAL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    td_medium_close(&medium);
}

/* --- a real disk under a real filesystem ---------------------------------------------------------------------------
 */

struct disk {
    struct loopdev loop;
    char mountpoint[300];
    bool mounted;
};

static struct disk disk;

static int drop_disk(void **state) {
    (void)state;
    td_cleanup_fd(&root);
    root = -1;
    if (disk.mounted)
        umount2(disk.mountpoint, MNT_DETACH);
    if (disk.mountpoint[0])
        rmdir(disk.mountpoint);
    loopdev_destroy(&disk.loop);
    memset(&disk, 0, sizeof(disk));
    td_sys = td_libc;
    free(buffer);
    buffer = NULL;
    return 0;
}

static void mount_disk(const char *options) {
    buffer = td_buffer_new(TD_READ_SIZE);
    loopdev_create(&disk.loop, 32 << 20);
    loopdev_attach(&disk.loop, false);
    must_run("mkfs.ext4", "-q", "-F", "-b", "1024", disk.loop.node, NULL);
    snprintf(disk.mountpoint, sizeof(disk.mountpoint), "%s/mnt", disk.loop.directory);
    assert_int_equal(mkdir(disk.mountpoint, 0700), 0);
    assert_int_equal(mount(disk.loop.node, disk.mountpoint, "ext4", 0, options), 0);
    disk.mounted = true;
    root = open(disk.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
}

/* Change the pattern on the medium behind the filesystem's back, wherever it stands: a journal has copies. */
static void flip_on_medium(const char *pattern) {
    size_t size = 32 << 20;
    int found = 0, fd = open(disk.loop.node, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char *all = malloc(size);
    assert_int_equal(td_pread_all(fd, all, size, 0), size);
    for (char *at = all; (at = memmem(at, (size_t)(all + size - at), pattern, strlen(pattern))); at++, found++) {
        char flipped = (char)(*at ^ 1);
        assert_int_equal(td_pwrite_all(fd, &flipped, 1, at - all), 0);
    }
    assert_int_equal(fsync(fd), 0);
    free(all);
    close(fd);
    assert_true(found > 0);
}

static void plain_hash(const char *name, uint8_t hash[TD_HASH_LEN]) {
    char data[20000];
    int fd = td_open_beneath(root, name, O_RDONLY, 0);
    ssize_t n = td_pread_all(fd, data, sizeof(data), 0);
    assert_true(n > 0);
    close(fd);
    struct td_digest *digest = td_digest_new(NULL);
    td_digest_start(digest);
    td_digest_add(digest, data, (size_t)n);
    td_digest_end(digest, hash);
    td_digest_free(digest);
}

static void expect_rot_seen(const char *options, bool direct) {
    static const char pattern[] = "a pattern that is nowhere else on this disk 7261";
    char data[9000];
    uint8_t before[TD_HASH_LEN], cached[TD_HASH_LEN];
    struct td_hash_result result;
    struct td_medium medium;
    mount_disk(options);
    memset(data, 'z', sizeof(data));
    memcpy(data, pattern, sizeof(pattern) - 1);
    int fd = td_open_beneath(root, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(td_write_all(fd, data, sizeof(data)), 0);
    close(fd);
    close(root);
    assert_int_equal(umount(disk.mountpoint), 0); /* a journal is worked off, nothing is cached */
    assert_int_equal(mount(disk.loop.node, disk.mountpoint, "ext4", 0, options), 0);
    root = open(disk.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    plain_hash("file", before);
    expect_hash("file", before, sizeof(data));
    plain_hash("file", before); /* into the cache again, should it have been dropped */
    flip_on_medium(pattern);
    plain_hash("file", cached);
    assert_memory_equal(cached, before, TD_HASH_LEN); /* this is why a plain read proves nothing */
    td_hash_file(root, "file", buffer, &result);
    assert_int_equal(result.error, 0);
    assert_memory_not_equal(result.hash, before, TD_HASH_LEN);
    assert_int_equal(td_medium_open(root, "file", &medium, NULL), 0);
    if (direct)
        assert_true(medium.direct);
    td_medium_close(&medium);
}

static void a_flipped_bit_is_seen(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_rot_seen(NULL, true);
}

/* ext4 takes O_DIRECT for files with journalled data and reads through the cache all the same. */
static void a_flipped_bit_is_seen_below_a_data_journal(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_rot_seen("data=journal", false);
}

/* Blocks smaller than TD_ALIGN: data may begin and end between two aligned places. */
static void small_blocks_and_holes(void **state) {
    (void)state;
    static const off_t islands[] = {1024, 3072, 7168, 100 << 10, (300 << 10) + 1024};
    if (geteuid() != 0)
        skip();
    mount_disk(NULL);
    for (size_t first = 0; first < 5; first++)
        expect_sparse(islands + first, 5 - first, (400 << 10) + 511);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_aligned),
        cmocka_unit_test_setup_teardown(every_length, on_disk, clean),
        cmocka_unit_test_setup_teardown(every_length, in_memory, clean),
        cmocka_unit_test_setup_teardown(abc, on_disk, clean),
        cmocka_unit_test_setup_teardown(holes, on_disk, clean),
        cmocka_unit_test_setup_teardown(holes, in_memory, clean),
        cmocka_unit_test_setup_teardown(holes_are_not_read, on_disk, clean),
        cmocka_unit_test_setup_teardown(only_regular_files, on_disk, clean),
        cmocka_unit_test_setup_teardown(read_errors_are_told, on_disk, clean),
        cmocka_unit_test_setup_teardown(falls_back_where_direct_reads_fail, on_disk, clean),
        cmocka_unit_test_setup_teardown(odd_reads, on_disk, clean),
        cmocka_unit_test_setup_teardown(odd_reads, in_memory, clean),
        cmocka_unit_test_setup_teardown(changing_files, on_disk, clean),
        cmocka_unit_test_setup_teardown(changing_files, in_memory, clean),
        cmocka_unit_test_setup_teardown(one_change_is_read_over, on_disk, clean),
        cmocka_unit_test_setup_teardown(changes_within_one_tick, on_disk, clean),
        cmocka_unit_test_setup_teardown(may_be_watched, on_disk, clean),
        cmocka_unit_test_setup_teardown(attaches_to_a_descriptor, on_disk, clean),
        cmocka_unit_test_teardown(a_flipped_bit_is_seen, drop_disk),
        cmocka_unit_test_teardown(a_flipped_bit_is_seen_below_a_data_journal, drop_disk),
        cmocka_unit_test_teardown(small_blocks_and_holes, drop_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
