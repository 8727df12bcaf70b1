/*
 * A target cut off at any point: every call failed in turn, killed at random moments, without power. Each path must be
 * the whole old or the whole new thing, no old version may be lost, and the next run must come to the right end.
 */
#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/sys.h"
#include "twindock/sync/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool possible;

#define NEED_ROOT()                                                                                                    \
    do {                                                                                                               \
        if (!possible)                                                                                                 \
            skip();                                                                                                    \
    } while (0)

/* --- a scene with something of everything --------------------------------------------------------------------- */

struct step {
    enum td_action action;
    const char *path, *from;
    const char *was; /* text of the old file at path; "/": a directory with a file "in" in it; NULL: nothing */
    const char *is;  /* the same of the new; "@": a symlink; NULL: nothing */
    bool moved_away; /* DELETE: without keeping */
};

static const struct step steps[] = {
    {TD_ACT_MKDIR, "dir-from-file", NULL, "old dir-from-file", "/", false},
    {TD_ACT_MKDIR, "new-dir", NULL, NULL, "/", false},
    {TD_ACT_MOVE, "left", "right", "old left", "old right", false},
    {TD_ACT_MOVE, "right", "left", "old right", "old left", false},
    {TD_ACT_MOVE, "new-dir/moved", "away", NULL, "old away", false},
    {TD_ACT_COPY, "edited", NULL, "old edited", "new edited, longer than before", false},
    {TD_ACT_COPY, "file-from-dir", NULL, "/", "new file-from-dir", false},
    {TD_ACT_COPY, "new-dir/new", NULL, NULL, "new new", false},
    {TD_ACT_SPECIAL, "link-from-file", NULL, "old link-from-file", "@", false},
    {TD_ACT_LINK, "hard", "edited", "old hard", "new edited, longer than before", false},
    {TD_ACT_DELETE, "gone", NULL, "old gone", NULL, false},
    {TD_ACT_DELETE, "away", NULL, "old away", NULL, true},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void put_state(int root, const char *path, const char *what) {
    char inner[64];
    snprintf(inner, sizeof(inner), "%s/in", path);
    if (!what)
        return;
    if (strcmp(what, "@") == 0)
        put_link(root, path, "target");
    else if (strcmp(what, "/") == 0)
        put_text(root, inner, path);
    else
        put_text(root, path, what);
}

static bool is_state(int root, const char *path, const char *what, bool inside) {
    char inner[64];
    snprintf(inner, sizeof(inner), "%s/in", path);
    if (!what)
        return kind_of(root, path) == 0;
    if (strcmp(what, "@") == 0)
        return kind_of(root, path) == S_IFLNK;
    TD_AUTOFREE char *text = get_text(root, strcmp(what, "/") == 0 ? inner : path);
    if (strcmp(what, "/") == 0)
        return inside ? text && strcmp(text, path) == 0 : kind_of(root, path) == S_IFDIR;
    return text && strcmp(text, what) == 0;
}

static void empty(int root) {
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    assert_non_null(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char tool[300];
            snprintf(tool, sizeof(tool), "/proc/%d/fd/%d/%s", getpid(), root, entry->d_name);
            const char *const rm[] = {"rm", "-rf", "--", tool, NULL};
            assert_int_equal(member_run(rm), 0);
        }
    closedir(dir);
}

static void set_scene(const struct member *member) {
    empty(member->collection);
    empty(member->store);
    for (size_t i = 0; i < STEPS; i++)
        put_state(member->collection, steps[i].path, steps[i].was);
}

static void play(struct td_target *target, int source) {
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &steps[i];
        if (step->action == TD_ACT_COPY)
            (void)copy_to(target, (int64_t)i, source, step->path);
        else if (step->action == TD_ACT_DELETE)
            submit_delete(target, (int64_t)i, step->path, !step->moved_away);
        else
            submit(target, (int64_t)i, step->action, source, step->path, step->from);
    }
    td_target_flush(target);
}

/* Is there a file with this text anywhere below root? */
static bool text_is_below(int root, const char *text) {
    char below[64];
    snprintf(below, sizeof(below), "/proc/%d/fd/%d/", getpid(), root);
    const char *const grep[] = {"grep", "-rqxF", "--", text, below, NULL};
    return member_run(grep) == 0;
}

static void assert_whole(const struct member *member, struct reports *reports, unsigned call) {
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &steps[i];
        bool old = is_state(member->collection, step->path, step->was, true);
        bool new = is_state(member->collection, step->path, step->is, false);
        if (!old && !new)
            fail_msg("call %u: %s is neither old nor new", call, step->path);
        if (reports && reports_find(reports, TD_A, (int64_t)i)->error == 0 && !new)
            fail_msg("call %u: %s was reported as done and is not", call, step->path);
        if (!step->was)
            continue;
        const char *text = strcmp(step->was, "/") == 0 ? step->path : step->was;
        if (!old && !text_is_below(member->store, text) && !text_is_below(member->collection, text))
            fail_msg("call %u: the old version of %s is lost", call, step->path);
    }
}

/* --- every call fails once, or from then on -------------------------------------------------------------------- */

static atomic_uint calls, fail_at;
static atomic_int fail_errno;
static atomic_bool fail_for_good;

static bool fails(void) {
    unsigned call = atomic_fetch_add(&calls, 1) + 1, at = atomic_load(&fail_at);
    if (call != at && !(call > at && atomic_load(&fail_for_good)))
        return false;
    errno = atomic_load(&fail_errno);
    return true;
}

static ssize_t f_pread(int fd, void *data, size_t len, off_t offset) {
    return fails() ? -1 : td_libc.pread(fd, data, len, offset);
}
static ssize_t f_pwrite(int fd, const void *data, size_t len, off_t offset) {
    return fails() ? -1 : td_libc.pwrite(fd, data, len, offset);
}
static int f_fsync(int fd) {
    return fails() ? -1 : td_libc.fsync(fd);
}
static int f_syncfs(int fd) {
    return fails() ? -1 : td_libc.syncfs(fd);
}
static int f_renameat2(int olddir, const char *old, int newdir, const char *new, unsigned flags) {
    return fails() ? -1 : td_libc.renameat2(olddir, old, newdir, new, flags);
}
static int f_linkat(int olddir, const char *old, int newdir, const char *new, int flags) {
    return fails() ? -1 : td_libc.linkat(olddir, old, newdir, new, flags);
}
static int f_unlinkat(int dir, const char *name, int flags) {
    return fails() ? -1 : td_libc.unlinkat(dir, name, flags);
}
static int f_ftruncate(int fd, off_t size) {
    return fails() ? -1 : td_libc.ftruncate(fd, size);
}
static int f_fallocate(int fd, int mode, off_t offset, off_t len) {
    return fails() ? -1 : td_libc.fallocate(fd, mode, offset, len);
}
static const struct td_sys failing = {f_pread,  f_pwrite,   f_fsync,     f_syncfs,    f_renameat2,
                                      f_linkat, f_unlinkat, f_ftruncate, f_fallocate, NULL};

struct scene {
    struct member member;
    char path[64];
    int source;
    struct member cut; /* what a power cut has left of the member */
    bool is_cut;
};

static int set_up(void **state) {
    static struct scene scene;
    if (!possible)
        return 0;
    scene.is_cut = false;
    member_make(&scene.member, 32);
    scene.source = scratch_make(scene.path);
    for (size_t i = 0; i < STEPS; i++)
        put_state(scene.source, steps[i].path, steps[i].is);
    *state = &scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    td_sys = td_libc;
    if (!scene)
        return 0;
    if (scene->is_cut)
        member_free(&scene->cut);
    scratch_remove(scene->path, scene->source);
    member_free(&scene->member);
    return 0;
}

/* One round with the Nth call failing. False: there were not so many calls. */
static bool fail_round(struct scene *scene, unsigned at, int errnum, bool for_good) {
    struct reports reports = {.lock = PTHREAD_MUTEX_INITIALIZER};
    set_scene(&scene->member);
    atomic_store(&calls, 0);
    atomic_store(&fail_at, at);
    atomic_store(&fail_errno, errnum);
    atomic_store(&fail_for_good, for_good);
    struct td_target *target = member_start(&scene->member, TD_A, scene->source, "00000001-20240101T000000Z", &reports);
    td_sys = failing;
    play(target, scene->source);
    bool reached = atomic_load(&calls) >= at;
    td_target_stop(target, false);
    td_sys = td_libc;
    assert_whole(&scene->member, &reports, at);
    reports_free(&reports);

    assert_int_equal(td_staging_sweep(scene->member.store, NULL, NULL), 0);
    assert_whole(&scene->member, NULL, at);
    assert_int_equal(names_in(scene->member.store, "staging"), 0);
    return reached;
}

static void fail_every_call(struct scene *scene, int errnum, bool for_good) {
    unsigned at = 1;
    while (fail_round(scene, at, errnum, for_good))
        at++;
    assert_true(at > 30);
}

static void any_call_may_fail_with_eio(void **state) {
    NEED_ROOT();
    fail_every_call(*state, EIO, false);
}

static void any_call_may_fail_with_enospc(void **state) {
    NEED_ROOT();
    fail_every_call(*state, ENOSPC, false);
    fail_every_call(*state, EMLINK, false); /* old versions that take no further link are exchanged */
}

static void everything_may_fail_from_any_call_on(void **state) {
    NEED_ROOT();
    fail_every_call(*state, ENOSPC, true);
    fail_every_call(*state, EIO, true);
    fail_every_call(*state, EMLINK, true);
}

/* --- killed, and without power --------------------------------------------------------------------------------- */

#define FILES 40
#define KILLS 200
#define CUTS 15

/* A file's text names its version all through, so that a torn one shows. Lengths differ with the version. */
static void version_text(char *out, size_t size, int file, int version) {
    size_t len = (size_t)(200 + (file * 7919 + version * 104729) % 20000), at = 0;
    if (len > size - 64)
        len = size - 64;
    while (at < len)
        at += (size_t)snprintf(out + at, size - at, "file %d version %d;", file, version);
}

/* The version that a path holds whole; -1: not there. */
static int version_at(int root, const char *path, int file) {
    TD_AUTOFREE char *is = get_text(root, path);
    static char want[32768];
    int version = 0, read_file = -1;
    if (!is)
        return -1;
    assert_int_equal(sscanf(is, "file %d version %d;", &read_file, &version), 2);
    version_text(want, sizeof(want), file, version);
    if (strcmp(is, want) != 0)
        fail_msg("%s is torn", path);
    return version;
}

static void put_version(int source, int version) {
    static char text[32768];
    char path[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "d%d/f%d", i % 5, i);
        version_text(text, sizeof(text), i, version);
        put_text(source, path, text);
    }
}

struct told {
    int pipe;
};

static void tell(void *ctx, const struct td_op_done *done) {
    const struct told *told = ctx;
    int32_t id = done->action == TD_ACT_COPY && done->error == 0 ? (int32_t)done->id : -1;
    if (id >= 0 && write(told->pipe, &id, sizeof(id)) != (ssize_t)sizeof(id))
        _exit(1);
}

/* A run, in a process of its own. */
static void child_run(const struct member *member, int source, int version, int pipe) {
    struct told told = {pipe};
    char history[TD_HISTORY_NAME_MAX];
    td_history_name(history, version, 1700000000);
    struct td_target_options options = {.side = TD_A,
                                        .collection = member->collection,
                                        .store = member->store,
                                        .source = source,
                                        .history = history,
                                        .batch_files = 7,
                                        .done = tell,
                                        .ctx = &told};
    struct td_target *target;
    if (td_staging_sweep(member->store, NULL, NULL) != 0 || td_target_start(&options, &target, NULL) != 0)
        _exit(1);
    char path[32];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "d%d", i);
        submit(target, 1000, TD_ACT_MKDIR, source, path, NULL);
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "d%d/f%d", i % 5, i);
        if (copy_to(target, i, source, path) != TD_COPY_READ)
            _exit(1);
    }
    td_target_stop(target, false);
    _exit(0);
}

/* Did the kill come in the middle? */
static bool is_mixed(const int version[FILES]) {
    for (int i = 1; i < FILES; i++)
        if (version[i] != version[0])
            return true;
    return false;
}

/* Start a run and kill it after `us`, 0: never. Marks what it has reported. True: it had ended by itself. */
static bool killed_run(struct scene *scene, int version, long us, bool done[FILES]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_run(&scene->member, scene->source, version, ends[1]);
    }
    close(ends[1]);
    assert_true(pid > 0);
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    if (us > 0) {
        nanosleep(&span, NULL);
        kill(pid, SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    int32_t id;
    memset(done, 0, FILES * sizeof(*done));
    while (read(ends[0], &id, sizeof(id)) == (ssize_t)sizeof(id))
        done[id] = true;
    close(ends[0]);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

/* `oldest`: what each path may at least hold. */
static void assert_versions(int collection, const int oldest[FILES], int newest, const bool done[FILES],
                            int now[FILES]) {
    char path[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "d%d/f%d", i % 5, i);
        now[i] = version_at(collection, path, i);
        if (now[i] != oldest[i] && now[i] != newest)
            fail_msg("%s holds version %d, neither %d nor %d", path, now[i], oldest[i], newest);
        if (done[i] && now[i] != newest)
            fail_msg("%s was reported as durable and is of version %d", path, now[i]);
    }
}

static void killed_at_any_moment(void **state) {
    NEED_ROOT();
    struct scene *scene = *state;
    int version[FILES];
    bool done[FILES];
    unsigned seed = 20240102;
    int ended = 0, mixed = 0;
    empty(scene->member.collection);
    empty(scene->member.store);
    memset(version, -1, sizeof(version));
    for (int round = 1; round <= KILLS; round++) {
        seed = seed * 1103515245U + 12345U;
        put_version(scene->source, round);
        ended += killed_run(scene, round, 1 + (long)(seed >> 8) % 120000, done);
        assert_versions(scene->member.collection, version, round, done, version);
        mixed += is_mixed(version);
        struct td_expired expired;
        assert_int_equal(td_history_expire(scene->member.store, INT64_MAX, INT64_MAX, NULL, &expired, NULL), 0);
    }
    assert_true(ended < KILLS);
    assert_true(mixed > KILLS / 20);
    print_message("%d of %d ended by themselves, %d left a mixture\n", ended, KILLS, mixed);
    put_version(scene->source, KILLS + 1);
    assert_true(killed_run(scene, KILLS + 1, 0, done));
    assert_versions(scene->member.collection, version, KILLS + 1, done, version);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(version[i], KILLS + 1);
    assert_int_equal(names_in(scene->member.store, "staging"), 0);
}

/* What has reached the image when the run ends is all that a power cut would leave. */
static void without_power_at_any_moment(void **state) {
    NEED_ROOT();
    struct scene *scene = *state;
    int before[FILES], now[FILES], reported = 0;
    bool done[FILES];
    char image[96];
    unsigned seed = 77;
    snprintf(image, sizeof(image), "%s/image", scene->member.dir);
    empty(scene->member.collection);
    empty(scene->member.store);
    put_version(scene->source, 0);
    assert_true(killed_run(scene, 0, 0, done));
    put_version(scene->source, 1);
    int64_t began = td_boot_ns();
    assert_true(killed_run(scene, 1, 0, done));
    long whole = (long)((td_boot_ns() - began) / 1000); /* of a run that replaces all */
    put_version(scene->source, 0);
    assert_true(killed_run(scene, 1000, 0, done));
    for (int round = 1; round <= CUTS; round++) {
        for (int i = 0; i < FILES; i++)
            before[i] = 0;
        seed = seed * 1103515245U + 12345U;
        put_version(scene->source, round);
        (void)killed_run(scene, round, whole / 8 + (long)(seed >> 8) % (whole + whole / 8), done);
        for (int i = 0; i < FILES; i++)
            reported += done[i];
        member_make_from(&scene->cut, image); /* replays the journal, as after a power cut */
        scene->is_cut = true;
        assert_versions(scene->cut.collection, before, round, done, now);
        assert_int_equal(td_staging_sweep(scene->cut.store, NULL, NULL), 0);
        scene->is_cut = false;
        member_free(&scene->cut);
        put_version(scene->source, 0); /* back to the beginning */
        assert_true(killed_run(scene, 1000 + round, 0, done));
    }
    print_message("%d files were reported before a cut\n", reported);
    assert_true(reported > 0);
}

int main(void) {
    possible = member_possible();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(any_call_may_fail_with_eio),           TEST(any_call_may_fail_with_enospc),
        TEST(everything_may_fail_from_any_call_on), TEST(killed_at_any_moment),
        TEST(without_power_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
