/*
 * The engine on plain directories, many evenings long: what any of them left comes back from each member alone; and
 * when runs are killed at random moments, everything that the ledger lists can still be had, nothing is listed twice,
 * and nothing lies in history that is not listed.
 *
 *   ROUNDS, KILLS, SEED   more than the little that runs every day
 */
#include "../../src/run/restore_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/run/backup.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"
#include "twindock/sync/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES 24
#define LARGE 300000

struct world {
    char dir[64];
    int root[TD_SIDES], store[TD_SIDES];
    uint64_t random;
    size_t spans; /* as in struct td_restoring */
};

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t chance(struct world *world, uint64_t below) {
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % below;
}

static void *must(void *pointer) {
    if (!pointer)
        abort();
    return pointer;
}

/* --- the world ----------------------------------------------------------------------------------------------- */

static int open_at(int dir, const char *name) {
    (void)mkdirat(dir, name, 0755);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void make_world(struct world *world) {
    snprintf(world->dir, sizeof world->dir, "/var/tmp/test_versions.XXXXXX");
    must(mkdtemp(world->dir));
    int top = open(world->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int side = 0; side < TD_SIDES; side++) {
        TD_AUTOCLOSE int base = open_at(top, (const char *[]){"src", "a", "b"}[side]);
        world->root[side] = open_at(base, "M");
        world->store[side] = side == TD_SOURCE ? -1 : open_at(base, ".twindock");
    }
    close(top);
    world->random = number("SEED", 2014) * 2654435761U + 1;
}

static void remove_all(const char *path) {
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", path, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static void end_world(struct world *world) {
    for (int side = 0; side < TD_SIDES; side++) {
        td_cleanup_fd(&world->root[side]);
        td_cleanup_fd(&world->store[side]);
    }
    remove_all(world->dir);
}

/* --- one evening --------------------------------------------------------------------------------------------- */

static int open_ledger(const struct world *world, struct td_ledger **ledger, struct td_pair *pair) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count = 0;
    char path[128];
    snprintf(path, sizeof path, "%s/ledger.db", world->dir);
    int rc = td_ledger_open(path, ledger, NULL);
    rc = rc != 0 ? rc : td_ledger_pairs(*ledger, &pairs, &count, NULL);
    if (rc != 0 || count == 1) {
        *pair = count == 1 ? pairs[0] : (struct td_pair){0};
        return rc;
    }
    *pair = (struct td_pair){.uuid = "18e61a61-6502-4510-8086-0065d1917f97", .collection = "M"};
    for (int i = 0; i < 2; i++) {
        pair->members[i].letter = (char)('A' + i);
        snprintf(pair->members[i].token, TD_TOKEN_MAX, "token%d", i);
    }
    return td_ledger_add_pair(*ledger, pair, NULL);
}

static int history_of(struct td_backup *backup, struct td_error *err) {
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++) {
        struct td_error own = {0};
        if (!backup->engine.side[side].alive)
            continue;
        rc = td_backup_history(backup, (enum td_side)side, &own, err);
        if (own.code != 0) {
            *err = own;
            rc = -own.code;
        }
    }
    return rc;
}

static int work_through(struct td_backup *backup, struct td_error *err) {
    struct td_engine *engine = &backup->engine;
    unsigned all = TD_SIDE_BIT(TD_SOURCE) | TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B);
    int rc = td_engine_init(engine, err);
    for (int side = TD_A; side <= TD_B && rc == 0; side++)
        if (engine->side[side].alive)
            rc = td_staging_sweep(engine->side[side].store, NULL, err);
    rc = rc != 0 ? rc : td_engine_scan(engine, all, err);
    rc = rc != 0 ? rc : td_engine_plan(engine, err);
    rc = rc != 0 ? rc : history_of(backup, err);
    rc = rc != 0 ? rc : td_engine_apply(engine, err);
    rc = rc != 0 ? rc : td_engine_prove(engine, all, err);
    rc = rc != 0 ? rc : td_engine_settle(engine, true, err);
    rc = rc != 0 ? rc : td_engine_prove_history(engine, true, err);
    rc = rc != 0 ? rc : td_engine_directories(engine, err);
    rc = rc != 0 ? rc : history_of(backup, err);
    return rc;
}

/* `members`: those that are docked. The run's number, or a negative errno. */
static int64_t evening(const struct world *world, unsigned members, int *code) {
    static struct td_stop stop;
    struct td_collection_config collection = {.name = "M", .keep_history = 90 * 86400};
    struct td_ledger *ledger = NULL;
    struct td_pair pair;
    struct td_error err = {0};
    int rc = open_ledger(world, &ledger, &pair);
    assert_int_equal(rc, 0);
    struct td_backup backup = {.ledger = ledger, .pair = &pair, .collection = &collection};
    backup.run = (struct td_run){.pair = pair.id, .started = td_wall_seconds(), .verdict = TD_OK};
    snprintf(backup.run.command, sizeof backup.run.command, "run");
    snprintf(backup.run.collection, sizeof backup.run.collection, "M");
    snprintf(backup.run.uuid, sizeof backup.run.uuid, "%s", pair.uuid);
    assert_int_equal(td_ledger_run_begin(ledger, &backup.run, &err), 0);
    td_history_name(backup.history, backup.run.id, backup.run.started);
    backup.engine = (struct td_engine){.ledger = ledger,
                                       .pair = pair.id,
                                       .run = backup.run.id,
                                       .cycle = backup.run.id,
                                       .collection = &collection,
                                       .history = backup.history,
                                       .stop = &stop};
    for (int side = 0; side < TD_SIDES; side++) {
        bool there = side == TD_SOURCE || (members & TD_SIDE_BIT(side)) != 0;
        backup.engine.side[side] = (struct td_engine_side){
            .root = there ? world->root[side] : -1, .store = there ? world->store[side] : -1, .alive = there};
        backup.docking.mounted[side] = (struct td_mounted){-1, world->root[side], world->store[side], TD_UNPROTECTED};
    }
    rc = work_through(&backup, &err);
    if (rc != 0)
        print_error("run %lld: %s\n", (long long)backup.run.id, err.text);
    td_engine_tick(&backup.engine, true, NULL);
    td_engine_free(&backup.engine);
    backup.run.ended = td_wall_seconds();
    backup.run.result = TD_RESULT_DONE;
    backup.run.exit = backup.engine.exit;
    td_ledger_run_end(ledger, &backup.run, NULL);
    td_ledger_close(ledger);
    if (code)
        *code = backup.engine.exit;
    return rc != 0 ? rc : backup.run.id;
}

/* --- changes ------------------------------------------------------------------------------------------------- */

static void name_of(char out[32], uint64_t i) {
    snprintf(out, 32, "%s%sf%02d", i % 3 == 0 ? "d/" : "", i % 6 == 0 ? "e/" : "", (int)i);
}

static void noise(struct world *world, int fd, uint64_t at, size_t len) {
    char *data = must(malloc(len));
    for (size_t i = 0; i < len; i++)
        data[i] = (char)chance(world, 256);
    assert_int_equal(pwrite(fd, data, len, (off_t)at), len);
    free(data);
}

static void insert(struct world *world, int fd, uint64_t size) {
    uint64_t half = size / 2;
    char *tail = must(malloc(size - half + 1));
    ssize_t len = pread(fd, tail, size - half, (off_t)half);
    noise(world, fd, half, 123);
    assert_int_equal(pwrite(fd, tail, (size_t)len, (off_t)half + 123), len);
    free(tail);
}

static void change_content(struct world *world, const char *name) {
    TD_AUTOCLOSE int fd = openat(world->root[TD_SOURCE], name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    uint64_t size = (uint64_t)st.st_size;
    switch (size == 0 ? 9 : chance(world, 7)) {
    case 0:
        noise(world, fd, size, 1 + chance(world, 5000));
        break;
    case 1:
        assert_int_equal(ftruncate(fd, (off_t)chance(world, size)), 0);
        break;
    case 2:
    case 3:
        insert(world, fd, size);
        break;
    case 4:
    case 5:
        noise(world, fd, chance(world, size), 1 + chance(world, 3000));
        break;
    default:
        assert_int_equal(ftruncate(fd, 0), 0);
        noise(world, fd, 0, 1 + (chance(world, 2) ? chance(world, LARGE) : chance(world, 3000)));
    }
}

static void change(struct world *world) {
    char name[32], other[32];
    int src = world->root[TD_SOURCE];
    name_of(name, chance(world, FILES));
    name_of(other, chance(world, FILES));
    (void)mkdirat(src, "d", 0755);
    (void)mkdirat(src, "d/e", 0755);
    char path[160];
    switch (chance(world, 12)) {
    case 0:
        unlinkat(src, name, 0);
        break;
    case 1:
        (void)renameat(src, name, src, other);
        break;
    case 2:
        unlinkat(src, other, 0);
        (void)!linkat(src, name, src, other, 0);
        break;
    case 3:
        (void)!fchmodat(src, name, chance(world, 2) ? 0600 : 0751, 0);
        break;
    case 4:
        snprintf(path, sizeof path, "%s/src/M/%s", world->dir, name);
        (void)setxattr(path, "user.kind", &world->random, 3, 0);
        break;
    case 5:
        unlinkat(src, name, 0);
        (void)!symlinkat(other, src, name);
        break;
    case 6:
        snprintf(path, sizeof path, "%s/src/M/d", world->dir);
        (void)setxattr(path, "user.dir", &world->random, 3, 0);
        break;
    case 7:
        unlinkat(src, "d/e/f00", 0);
        (void)renameat(src, "d/e", src, "moved");
        break;
    default:
        change_content(world, name);
    }
}

/* --- what a tree is ------------------------------------------------------------------------------------------ */

struct picture {
    struct td_buf text;
    char *first[4096];
    struct stat seen[4096];
    size_t links;
    void *buffer;
};

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static const char *first_name(struct picture *picture, const struct stat *st, const char *path) {
    for (size_t i = 0; i < picture->links; i++)
        if (picture->seen[i].st_ino == st->st_ino)
            return picture->first[i];
    picture->seen[picture->links] = *st;
    picture->first[picture->links++] = must(strdup(path));
    return path;
}

static void draw(struct picture *picture, int dir, const char *name, const char *path) {
    struct td_entry entry;
    struct td_hash_result result = {0};
    struct stat st;
    char hex[65], xattrs[65]; /* of SHA-256 */
    assert_int_equal(td_entry_read(dir, name, &entry), 0);
    assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0);
    if (S_ISREG(entry.mode))
        td_hash_file(dir, name, picture->buffer, &result);
    td_hex(hex, result.hash, TD_HASH_LEN);
    td_hex(xattrs, entry.xattrs, TD_HASH_LEN);
    td_buf_printf(&picture->text, "%s %o %u:%u %llu %lld.%09ld %.16s %.16s %s %s\n", path, entry.mode, entry.uid,
                  entry.gid, (unsigned long long)entry.size, (long long)entry.mtime.tv_sec, entry.mtime.tv_nsec, hex,
                  xattrs, entry.target ? entry.target : "",
                  S_ISREG(st.st_mode) && st.st_nlink > 1 ? first_name(picture, &st, path) : "");
    free((char *)(uintptr_t)entry.target);
    if (!S_ISDIR(entry.mode))
        return;
    struct dirent **names;
    TD_AUTOCLOSE int fd = openat(dir, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = scandirat(fd, ".", &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        TD_AUTOBUF struct td_buf below = {0};
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0) {
            td_buf_printf(&below, "%s/%s", path, names[i]->d_name);
            draw(picture, fd, names[i]->d_name, below.data);
        }
        free(names[i]);
    }
    free(names);
}

static char *picture_of(int dir) {
    struct picture *picture = must(calloc(1, sizeof *picture));
    picture->buffer = must(td_buffer_new(TD_READ_SIZE));
    draw(picture, dir, "", "");
    for (size_t i = 0; i < picture->links; i++)
        free(picture->first[i]);
    char *text = td_buf_take(&picture->text);
    free(picture->buffer);
    free(picture);
    return text;
}

/* --- going back ------------------------------------------------------------------------------------------------ */

static int tick(void *ctx) {
    return ctx != NULL;
}

struct back {
    struct td_restoring restoring;
    struct td_pair pair;
    struct td_collection_config collection;
    struct td_app app;
    struct td_error err;
};

static void begin_back(const struct world *world, struct back *back, unsigned members) {
    *back = (struct back){.collection = {.name = "M"}};
    struct td_restoring *restoring = &back->restoring;
    assert_int_equal(open_ledger(world, &restoring->ledger, &back->pair), 0);
    restoring->app = &back->app;
    restoring->pair = &back->pair;
    restoring->collection = &back->collection;
    restoring->err = &back->err;
    restoring->watch.tick = tick;
    restoring->buffer = must(td_buffer_new(TD_READ_SIZE));
    restoring->spans = world->spans;
    for (int side = 0; side < TD_SIDES; side++) {
        bool there = side != TD_SOURCE && (members & TD_SIDE_BIT(side)) != 0;
        restoring->live[side] = there ? world->root[side] : -1;
        restoring->history[side] = there ? openat(world->store[side], "history", O_RDONLY | O_DIRECTORY) : -1;
    }
    char path[128];
    snprintf(path, sizeof path, "%s/back", world->dir);
    remove_all(path);
    assert_int_equal(mkdir(path, 0700), 0);
    restoring->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    restoring->blank = memfd_create("blank", MFD_CLOEXEC);
}

static void end_back(struct back *back) {
    struct td_restoring *restoring = &back->restoring;
    for (int side = 0; side < TD_SIDES; side++)
        td_cleanup_fd(&restoring->history[side]);
    td_restore_free_tree(restoring);
    close(restoring->dir);
    close(restoring->blank);
    free(restoring->buffer);
    td_buf_free(&restoring->trouble);
    td_ledger_close(restoring->ledger);
}

static int make_state(void *ctx, const struct td_state *state) {
    return td_restore_state(ctx, state);
}

static void assert_comes_back(const struct world *world, unsigned members, int64_t run, const char *expected) {
    struct back back;
    begin_back(world, &back, members);
    int rc = td_ledger_tree(back.restoring.ledger, back.pair.id, run, "", make_state, &back.restoring, &back.err);
    rc = rc != 0 ? rc : td_restore_finish_tree(&back.restoring);
    char *text = picture_of(back.restoring.dir);
    if (rc != 0 || back.restoring.failed > 0 || back.restoring.damaged > 0 || strcmp(text, expected) != 0)
        print_error("run %lld from %x: %s\n%s--- expected\n%s--- got\n%s", (long long)run, members, back.err.text,
                    td_buf_text(&back.restoring.trouble), expected, text);
    assert_int_equal(rc, 0);
    assert_int_equal(back.restoring.failed, 0);
    assert_int_equal(back.restoring.damaged, 0);
    assert_string_equal(text, expected);
    free(text);
    end_back(&back);
}

static void test_every_evening_comes_back(void **state) {
    uint64_t rounds = number("ROUNDS", 12);
    char **pictures = must(calloc(rounds, sizeof *pictures));
    int64_t *runs = must(calloc(rounds, sizeof *runs));
    struct world world;
    (void)state;
    make_world(&world);
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint64_t i = round == 0 ? 60 : 8; i > 0; i--)
            change(&world);
        runs[round] = evening(&world, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), NULL);
        assert_true(runs[round] > 0);
        pictures[round] = picture_of(world.root[TD_SOURCE]);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        world.spans = (size_t[]){0, 1, 6, 40}[round % 4]; /* few: through the deltas by steps, or some at a time */
        assert_comes_back(&world, TD_SIDE_BIT(round % 2 ? TD_A : TD_B), runs[round], pictures[round]);
    }
    world.spans = 0;
    assert_comes_back(&world, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), INT64_MAX, pictures[rounds - 1]);
    for (uint64_t round = 0; round < rounds; round++)
        free(pictures[round]);
    free(pictures);
    free(runs);
    end_world(&world);
}

/* A member that misses evenings keeps what it has itself; both together have everything. */
static void test_a_member_that_stayed_away(void **state) {
    enum { ROUNDS = 9 };
    char *pictures[ROUNDS];
    int64_t runs[ROUNDS];
    struct world world;
    (void)state;
    make_world(&world);
    for (int round = 0; round < ROUNDS; round++) {
        static const unsigned docked[] = {6, 6, 2, 2, 6, 4, 6, 2, 6};
        for (int i = round == 0 ? 60 : 8; i > 0; i--)
            change(&world);
        runs[round] = evening(&world, docked[round], NULL);
        assert_true(runs[round] > 0);
        pictures[round] = picture_of(world.root[TD_SOURCE]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        assert_comes_back(&world, 6, runs[round], pictures[round]);
        free(pictures[round]);
    }
    end_world(&world);
}

/* --- damaged ------------------------------------------------------------------------------------------------- */

struct damage {
    const struct world *world;
    enum td_side side;
    enum td_version_kind kind;
    int left;
};

static int flip_one(void *ctx, const struct td_version *version) {
    struct damage *damage = ctx;
    struct stat st;
    char byte;
    if (version->kind != damage->kind || version->stored_size == 0 || damage->left == 0)
        return 0;
    damage->left--;
    TD_AUTOCLOSE int history = openat(damage->world->store[damage->side], "history", O_RDONLY | O_DIRECTORY);
    TD_AUTOCLOSE int fd = openat(history, version->place, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size / 2), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 2), 1);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    return 0;
}

static void flip(const struct world *world, enum td_side side, enum td_version_kind kind, int count) {
    struct td_ledger *ledger = NULL;
    struct td_pair pair;
    struct damage damage = {world, side, kind, count};
    assert_int_equal(open_ledger(world, &ledger, &pair), 0);
    assert_int_equal(td_ledger_kept(ledger, pair.id, side, -1, flip_one, &damage, NULL), 0);
    assert_int_equal(damage.left, 0);
    td_ledger_close(ledger);
}

static void change_large(struct world *world, int round) {
    TD_AUTOCLOSE int fd = openat(world->root[TD_SOURCE], "large", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    noise(world, fd, round == 0 ? 0 : 5000, round == 0 ? LARGE : 100);
}

static void test_damage_is_made_good(void **state) {
    enum { ROUNDS = 6 };
    char *pictures[ROUNDS];
    int64_t runs[ROUNDS];
    struct world world;
    int code;
    (void)state;
    make_world(&world);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = round == 0 ? 60 : 12; i > 0; i--)
            change(&world);
        change_large(&world, round);
        runs[round] = evening(&world, 6, &code);
        assert_int_equal(code, TD_EXIT_OK);
        pictures[round] = picture_of(world.root[TD_SOURCE]);
    }
    flip(&world, TD_A, TD_VERSION_WHOLE, 2);
    flip(&world, TD_A, TD_VERSION_DELTA, 2);
    assert_true(evening(&world, 6, &code) > 0);
    assert_int_equal(code, TD_EXIT_ROT);
    assert_true(evening(&world, 6, &code) > 0);
    assert_int_equal(code, TD_EXIT_OK);
    for (int round = 0; round < ROUNDS; round++) {
        assert_comes_back(&world, TD_SIDE_BIT(TD_A), runs[round], pictures[round]);
        assert_comes_back(&world, TD_SIDE_BIT(TD_B), runs[round], pictures[round]);
        free(pictures[round]);
    }
    end_world(&world);
}

/* Where a delta is damaged and nobody has another, but the content is somewhere: it is kept whole. What no member has
 * any more is told once, and nothing wrong comes back instead. */
static void test_what_is_lost_is_told_once(void **state) {
    struct world world;
    struct back back;
    int code;
    (void)state;
    make_world(&world);
    change_large(&world, 0);
    char *before = picture_of(world.root[TD_SOURCE]);
    int64_t run = evening(&world, 6, &code);
    change_large(&world, 1);
    assert_true(evening(&world, 2, &code) > 0); /* A keeps a delta; B stays away, and has the content itself */
    assert_int_equal(code, TD_EXIT_OK);
    flip(&world, TD_A, TD_VERSION_DELTA, 1);
    change_large(&world, 2);
    assert_true(evening(&world, 6, &code) > 0); /* B keeps it now, against another version */
    assert_int_equal(code, TD_EXIT_ROT);
    assert_comes_back(&world, TD_SIDE_BIT(TD_A), run, before);
    assert_comes_back(&world, TD_SIDE_BIT(TD_B), run, before);
    flip(&world, TD_A, TD_VERSION_WHOLE, 1);
    flip(&world, TD_B, TD_VERSION_DELTA, 1);
    assert_true(evening(&world, 6, &code) > 0);
    assert_int_equal(code, TD_EXIT_ROT);
    assert_true(evening(&world, 6, &code) > 0);
    assert_int_equal(code, TD_EXIT_OK);
    begin_back(&world, &back, 6);
    assert_int_equal(td_ledger_tree(back.restoring.ledger, back.pair.id, run, "", make_state, &back.restoring, NULL),
                     0);
    assert_int_equal(back.restoring.failed, 1);
    assert_int_equal(faccessat(back.restoring.dir, "large", F_OK, 0), -1);
    end_back(&back);
    free(before);
    end_world(&world);
}

/* --- killed ---------------------------------------------------------------------------------------------------- */

struct census {
    const struct world *world;
    struct back *back;
    enum td_side side;
    uint64_t listed, found;
    void *buffer;
};

static int check_listed(void *ctx, const struct td_version *version) {
    struct census *census = ctx;
    struct td_restoring *restoring = &census->back->restoring;
    census->listed++;
    if (!version->has_hash)
        return 0;
    TD_AUTOCLOSE int fd = openat(restoring->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    int rc = td_restore_content(restoring, version->path, version->hash, fd);
    if (rc != 0)
        print_error("%s (%s): %s\n%s", version->place, version->path, strerror(-rc), td_buf_text(&restoring->trouble));
    assert_int_equal(rc, 0);
    return 0;
}

static int check_found(void *ctx, const struct td_history_found *found) {
    struct census *census = ctx;
    int rc =
        td_ledger_has_kept(census->back->restoring.ledger, census->back->pair.id, census->side, found->place, NULL);
    if (rc != 0)
        print_error("%s lies in history and is not listed\n", found->place);
    assert_int_equal(rc, 0);
    census->found++;
    return 0;
}

static int check_run(void *ctx, const char *name, int64_t run) {
    struct census *census = ctx;
    (void)run;
    return td_history_walk(census->world->store[census->side], name, check_found, census, NULL);
}

static int check_state(void *ctx, const struct td_state *state) {
    struct census *census = ctx;
    struct td_restoring *restoring = &census->back->restoring;
    if (!state->has_hash)
        return 0;
    TD_AUTOCLOSE int fd = openat(restoring->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    int rc = td_restore_content(restoring, state->entry.path, state->hash, fd);
    if (rc != 0)
        print_error("%s of runs %lld to %lld: %s\n", state->entry.path, (long long)state->since,
                    (long long)state->until, strerror(-rc));
    assert_int_equal(rc, 0);
    return 0;
}

/* What is listed can be had, what is there is listed. */
static void take_census(const struct world *world) {
    for (int side = TD_A; side <= TD_B; side++) {
        struct back back;
        begin_back(world, &back, TD_SIDE_BIT(side));
        struct census census = {.world = world, .back = &back, .side = (enum td_side)side};
        assert_int_equal(
            td_ledger_kept(back.restoring.ledger, back.pair.id, census.side, -1, check_listed, &census, NULL), 0);
        assert_int_equal(td_history_list(world->store[side], check_run, &census, NULL), 0);
        assert_int_equal(td_ledger_pick(back.restoring.ledger, back.pair.id, INT32_MAX, check_state, &census, NULL), 0);
        end_back(&back);
    }
}

static void test_killed_at_any_moment(void **state) {
    uint64_t kills = number("KILLS", 12), ended = 0;
    struct world world;
    (void)state;
    make_world(&world);
    for (int i = 0; i < 60; i++)
        change(&world);
    int64_t began = td_boot_ns();
    assert_true(evening(&world, 6, NULL) > 0);
    uint64_t span = (uint64_t)(td_boot_ns() - began);
    for (uint64_t kill_number = 0; kill_number < kills; kill_number++) {
        for (int i = 0; i < 10; i++)
            change(&world);
        pid_t pid = fork();
        if (pid == 0)
            _exit(evening(&world, 6, NULL) > 0 ? 0 : 1);
        struct timespec nap = {.tv_nsec = (long)(chance(&world, span < 999999999 ? span : 999999999))};
        int status;
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        ended += WIFEXITED(status);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        if (kill_number % 3 != 0) /* killed twice in a row now and then */
            continue;
        int64_t run = evening(&world, 6, NULL);
        assert_true(run > 0);
        take_census(&world);
        char *now = picture_of(world.root[TD_SOURCE]);
        assert_comes_back(&world, TD_SIDE_BIT(TD_A), run, now);
        assert_comes_back(&world, TD_SIDE_BIT(TD_B), run, now);
        free(now);
    }
    print_message("%d of %d ended by themselves\n", (int)ended, (int)kills);
    end_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_evening_comes_back), cmocka_unit_test(test_a_member_that_stayed_away),
        cmocka_unit_test(test_damage_is_made_good),      cmocka_unit_test(test_what_is_lost_is_told_once),
        cmocka_unit_test(test_killed_at_any_moment),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
