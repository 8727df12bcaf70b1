#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/sync/attributes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

bool member_possible(void) {
    if (geteuid() != 0)
        return false;
    if (unshare(CLONE_NEWNS) != 0)
        return false;
    /* In a chroot "/" is no mount point and cannot be made private: the mounts are then seen outside, too, until they
     * go. */
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL;
}

int member_run(const char *const *argv) {
    pid_t pid = fork();
    if (pid == 0) {
        union {
            const char *const *given;
            char *const *wanted;
        } args = {.given = argv};
        execvp(argv[0], args.wanted);
        _exit(127);
    }
    int status = -1;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *temporary(void) {
    const char *dir = getenv("TMPDIR");
    return dir && *dir && strlen(dir) < 32 ? dir : "/tmp";
}

int scratch_make(char path[64]) {
    snprintf(path, 64, "%s/twindock-test-XXXXXX", temporary());
    assert_non_null(mkdtemp(path));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void scratch_remove(const char *path, int fd) {
    close(fd);
    const char *const rm[] = {"rm", "-rf", path, NULL};
    assert_int_equal(member_run(rm), 0);
}

/* The long commit interval keeps the kernel from writing by itself: only what was asked to be durable is. */
static void member_mount(struct member *member) {
    char image[96], point[96];
    snprintf(image, sizeof(image), "%s/image", member->dir);
    snprintf(point, sizeof(point), "%s/mnt", member->dir);
    const char *const argv[] = {"mount", "-o", "loop,commit=300", image, point, NULL};
    assert_int_equal(member_run(argv), 0);
    member->mounted = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(member->mounted >= 0);
    (void)mkdirat(member->mounted, "M", 0755);
    (void)mkdirat(member->mounted, ".twindock", 0700);
    member->collection = openat(member->mounted, "M", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    member->store = openat(member->mounted, ".twindock", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(member->collection >= 0 && member->store >= 0);
}

static void member_unmount(struct member *member) {
    char point[96];
    close(member->collection);
    close(member->store);
    close(member->mounted);
    snprintf(point, sizeof(point), "%s/mnt", member->dir);
    assert_int_equal(umount(point), 0);
}

static void member_prepare(struct member *member, char image[96]) {
    char point[96];
    snprintf(member->dir, sizeof(member->dir), "%s/twindock-member-XXXXXX", temporary());
    assert_non_null(mkdtemp(member->dir));
    snprintf(image, 96, "%s/image", member->dir);
    snprintf(point, sizeof(point), "%s/mnt", member->dir);
    assert_int_equal(mkdir(point, 0700), 0);
}

void member_make(struct member *member, unsigned megabytes) {
    char image[96];
    member_prepare(member, image);
    int fd = open(image, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)megabytes << 20), 0);
    close(fd);
    const char *const mkfs[] = {"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", image, NULL};
    assert_int_equal(member_run(mkfs), 0);
    member_mount(member);
}

void member_make_from(struct member *member, const char *image) {
    char own[96];
    member_prepare(member, own);
    const char *const cp[] = {"cp", "--sparse=always", image, own, NULL};
    assert_int_equal(member_run(cp), 0);
    member_mount(member);
}

void member_remount(struct member *member) {
    member_unmount(member);
    member_mount(member);
}

void member_free(struct member *member) {
    member_unmount(member);
    const char *const rm[] = {"rm", "-rf", member->dir, NULL};
    assert_int_equal(member_run(rm), 0);
}

/* --- files ---------------------------------------------------------------------------------------------------- */

static int parent_of(int root, const char *path, const char **name) {
    assert_int_equal(td_make_parents(root, path), 0);
    int dir = td_open_parent(root, path, name);
    assert_true(dir >= 0);
    return dir;
}

void put_text(int root, const char *path, const char *text) {
    const char *name;
    TD_AUTOCLOSE int dir = parent_of(root, path, &name);
    TD_AUTOCLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, text, strlen(text)), 0);
}

void put_bytes(int root, const char *path, size_t size, unsigned seed) {
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245U + 12345U;
        bytes[i] = (char)('a' + (seed >> 16) % 26);
    }
    bytes[size] = '\0';
    put_text(root, path, bytes);
    free(bytes);
}

void put_dir(int root, const char *path) {
    const char *name;
    TD_AUTOCLOSE int dir = parent_of(root, path, &name);
    assert_true(mkdirat(dir, name, 0755) == 0 || errno == EEXIST);
}

void put_link(int root, const char *path, const char *target) {
    const char *name;
    TD_AUTOCLOSE int dir = parent_of(root, path, &name);
    assert_int_equal(symlinkat(target, dir, name), 0);
}

void put_fifo(int root, const char *path) {
    const char *name;
    TD_AUTOCLOSE int dir = parent_of(root, path, &name);
    assert_int_equal(mkfifoat(dir, name, 0640), 0);
}

char *get_text(int root, const char *path) {
    TD_AUTOCLOSE int fd = td_open_beneath(root, path, O_RDONLY | O_NONBLOCK, 0);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    char *text = malloc((size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(td_pread_all(fd, text, (size_t)st.st_size, 0), st.st_size);
    text[st.st_size] = '\0';
    return text;
}

void assert_text(int root, const char *path, const char *text) {
    TD_AUTOFREE char *is = get_text(root, path);
    if (!is)
        fail_msg("%s is no regular file", path);
    assert_string_equal(is, text);
}

void assert_same_file(int root, const char *path, int other, const char *other_path) {
    TD_AUTOFREE char *wanted = get_text(other, other_path);
    assert_non_null(wanted);
    assert_text(root, path, wanted);
}

mode_t kind_of(int root, const char *path) {
    const char *name;
    struct stat st;
    TD_AUTOCLOSE int dir = td_open_parent(root, path, &name);
    if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return st.st_mode & S_IFMT;
}

int names_in(int root, const char *path) {
    int fd = td_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return 0;
    DIR *dir = fdopendir(fd);
    assert_non_null(dir);
    int count = -2;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* --- reports -------------------------------------------------------------------------------------------------- */

void reports_done(void *ctx, const struct td_op_done *done) {
    struct reports *reports = ctx;
    pthread_mutex_lock(&reports->lock);
    struct report *grown = realloc(reports->report, (reports->count + 1) * sizeof(*grown));
    if (!grown)
        abort();
    reports->report = grown;
    struct report *report = &grown[reports->count++];
    *report = (struct report){.id = done->id, .error = done->error, .side = done->side, .bytes = done->bytes};
    memcpy(report->hash, done->hash, TD_HASH_LEN);
    snprintf(report->text, sizeof(report->text), "%s", done->text ? done->text : "");
    pthread_mutex_unlock(&reports->lock);
}

const struct report *reports_find(struct reports *reports, enum td_side side, int64_t id) {
    const struct report *found = NULL;
    for (size_t i = 0; i < reports->count; i++) {
        if (reports->report[i].id != id || reports->report[i].side != side)
            continue;
        if (found)
            fail_msg("operation %lld was reported twice", (long long)id);
        found = &reports->report[i];
    }
    if (!found)
        fail_msg("operation %lld was not reported", (long long)id);
    return found;
}

size_t reports_count(struct reports *reports) {
    pthread_mutex_lock(&reports->lock);
    size_t count = reports->count;
    pthread_mutex_unlock(&reports->lock);
    return count;
}

void reports_free(struct reports *reports) {
    free(reports->report);
    reports->report = NULL;
    reports->count = 0;
}

/* --- operations ----------------------------------------------------------------------------------------------- */

struct td_target *member_start(const struct member *member, enum td_side side, int source, const char *history,
                               struct reports *reports) {
    struct td_target_options options = {
        .side = side,
        .collection = member->collection,
        .store = member->store,
        .source = source,
        .history = history,
        .done = reports_done,
        .ctx = reports,
    };
    struct td_target *target = NULL;
    assert_int_equal(td_target_start(&options, &target, NULL), 0);
    return target;
}

static void entry_of(int source, const char *path, struct td_entry *entry) {
    const char *name = "";
    TD_AUTOCLOSE int dir =
        *path ? td_open_parent(source, path, &name) : openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_int_equal(td_entry_read(dir, name, entry), 0);
}

void submit(struct td_target *target, int64_t id, enum td_action action, int source, const char *path,
            const char *from) {
    struct td_entry entry;
    entry_of(source, path, &entry);
    struct td_op op = {.id = id, .action = action, .path = path, .from = from, .entry = &entry};
    td_target_submit(target, &op);
    td_cleanup_ptr(&entry.target);
}

void submit_delete(struct td_target *target, int64_t id, const char *path, bool keep) {
    struct td_op op = {.id = id, .action = TD_ACT_DELETE, .path = path, .keep = keep};
    td_target_submit(target, &op);
}

enum td_copy_status copy_to(struct td_target *target, int64_t id, int source, const char *path) {
    struct td_op op = {.id = id, .action = TD_ACT_COPY, .path = path};
    struct td_copy_read read;
    return td_target_copy(&target, 1, source, &op, NULL, &read);
}
