/* Operations on a member: every one of them, over every kind of thing that may be in the way. */
#include "member.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN "00000007-20240102T030405Z"
#define OLD "history/" RUN "/"

static bool possible;

struct bench {
    struct member member;
    char path[64];
    int source;
    struct reports reports;
    struct td_target *target;
};

static int set_up(void **state) {
    static struct bench bench; /* tests run one after another */
    if (!possible)
        return 0;
    bench = (struct bench){.reports = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    member_make(&bench.member, 64);
    bench.source = scratch_make(bench.path);
    bench.target = member_start(&bench.member, TD_A, bench.source, RUN, &bench.reports);
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    td_sys = td_libc;
    if (!bench)
        return 0;
    td_target_stop(bench->target, false);
    reports_free(&bench->reports);
    scratch_remove(bench->path, bench->source);
    member_free(&bench->member);
    return 0;
}

#define NEED_ROOT()                                                                                                    \
    do {                                                                                                               \
        if (!possible)                                                                                                 \
            skip();                                                                                                    \
    } while (0)

static void assert_done(struct bench *bench, int64_t id, int error) {
    const struct report *report = reports_find(&bench->reports, TD_A, id);
    if (report->error != error)
        fail_msg("operation %lld: %d (%s), not %d", (long long)id, report->error, report->text, error);
}

static void assert_clean(struct bench *bench) {
    assert_int_equal(names_in(bench->member.store, "staging"), 0);
}

/* --- copies --------------------------------------------------------------------------------------------------- */

static void copies_are_placed_and_reported_when_durable(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->source, "a", "one");
    put_bytes(bench->source, "big", 3 << 20, 5);
    put_text(bench->source, "empty", "");
    assert_int_equal(copy_to(bench->target, 1, bench->source, "a"), TD_COPY_READ);
    assert_int_equal(copy_to(bench->target, 2, bench->source, "big"), TD_COPY_READ);
    assert_int_equal(copy_to(bench->target, 3, bench->source, "empty"), TD_COPY_READ);
    td_target_flush(bench->target);
    for (int64_t id = 1; id <= 3; id++)
        assert_done(bench, id, 0);
    assert_int_equal(reports_find(&bench->reports, TD_A, 2)->bytes, 3 << 20);
    assert_int_equal(td_target_bytes(bench->target), (3 << 20) + 3);
    /* SHA-256 of "one" */
    static const uint8_t one[4] = {0x76, 0x92, 0xc3, 0xad};
    assert_memory_equal(reports_find(&bench->reports, TD_A, 1)->hash, one, sizeof(one));
    assert_text(bench->member.collection, "a", "one");
    assert_text(bench->member.collection, "empty", "");
    assert_same_file(bench->member.collection, "big", bench->source, "big");
    assert_clean(bench);
    assert_int_equal(names_in(bench->member.store, "history"), 0);
}

/* What was replaced is whole in history, and a second version of the same run does not push out the first. */
static void old_versions_go_to_history(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->member.collection, "d/f", "zero");
    put_dir(bench->source, "d");
    const char *const versions[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        put_text(bench->source, "d/f", versions[i]);
        assert_int_equal(copy_to(bench->target, i, bench->source, "d/f"), TD_COPY_READ);
        td_target_flush(bench->target);
        assert_done(bench, i, 0);
    }
    assert_text(bench->member.collection, "d/f", "three");
    assert_text(bench->member.store, OLD "d/f", "zero");
    assert_text(bench->member.store, OLD "d/f.~1~", "one");
    assert_text(bench->member.store, OLD "d/f.~2~", "two");
}

static void quarantine_takes_what_a_repair_replaces(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->member.collection, "f", "rotten");
    put_text(bench->source, "f", "good");
    struct td_op op = {.id = 1, .action = TD_ACT_COPY, .path = "f", .quarantine = true};
    struct td_copy_read read;
    assert_int_equal(td_target_copy(&bench->target, 1, bench->source, &op, NULL, &read), TD_COPY_READ);
    td_target_flush(bench->target);
    assert_done(bench, 1, 0);
    assert_text(bench->member.collection, "f", "good");
    assert_text(bench->member.store, "quarantine/" RUN "/f", "rotten");
    assert_int_equal(kind_of(bench->member.store, "history"), 0);
}

/* --- every kind over every kind ------------------------------------------------------------------------------- */

enum kind { NOTHING, FILE_, DIR_, SYMLINK, FIFO, LINKED, KINDS };

static const mode_t modes[KINDS] = {0, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFREG};

static void make_kind(int root, const char *path, enum kind kind, const char *text) {
    switch (kind) {
    case FILE_:
    case LINKED:
        put_text(root, path, text);
        break;
    case DIR_:
        put_dir(root, path);
        break;
    case SYMLINK:
        put_link(root, path, text);
        break;
    case FIFO:
        put_fifo(root, path);
        break;
    case NOTHING:
    case KINDS:
        break;
    }
}

static void send_kind(struct bench *bench, int64_t id, const char *path, enum kind kind) {
    switch (kind) {
    case FILE_:
        assert_int_equal(copy_to(bench->target, id, bench->source, path), TD_COPY_READ);
        break;
    case DIR_:
        submit(bench->target, id, TD_ACT_MKDIR, bench->source, path, NULL);
        break;
    case SYMLINK:
    case FIFO:
        submit(bench->target, id, TD_ACT_SPECIAL, bench->source, path, NULL);
        break;
    case LINKED:
        submit(bench->target, id, TD_ACT_LINK, bench->source, path, "leader");
        break;
    case NOTHING:
        submit_delete(bench->target, id, path, true);
        break;
    case KINDS:
        break;
    }
}

static void every_kind_replaces_every_kind(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    char path[32], inner[48], old[96];
    put_text(bench->source, "leader", "new");
    assert_int_equal(copy_to(bench->target, 1000, bench->source, "leader"), TD_COPY_READ);
    for (int was = NOTHING; was < LINKED; was++)
        for (int is = FILE_; is < KINDS; is++) {
            snprintf(path, sizeof(path), "%d-%d", was, is);
            snprintf(inner, sizeof(inner), "%s/x/y", path);
            make_kind(bench->member.collection, path, (enum kind)was, "old");
            if (was == DIR_)
                put_text(bench->member.collection, inner, "inside");
            make_kind(bench->source, path, (enum kind)is, "new");
            send_kind(bench, was * KINDS + is, path, (enum kind)is);
        }
    td_target_flush(bench->target);
    for (int was = NOTHING; was < LINKED; was++)
        for (int is = FILE_; is < KINDS; is++) {
            assert_done(bench, was * KINDS + is, 0);
            snprintf(path, sizeof(path), "%d-%d", was, is);
            assert_int_equal(kind_of(bench->member.collection, path), modes[is]);
            if (is == FILE_ || is == LINKED)
                assert_text(bench->member.collection, path, "new");
            snprintf(old, sizeof(old), OLD "%s%s", path, was == DIR_ ? "/x/y" : "");
            if (was == DIR_ && is == DIR_) {
                assert_int_equal(kind_of(bench->member.store, old), 0); /* it stays where it is */
                continue;
            }
            assert_int_equal(kind_of(bench->member.store, old), was == DIR_ ? S_IFREG : modes[was]);
            if (was == FILE_)
                assert_text(bench->member.store, old, "old");
        }
    assert_clean(bench);
}

static void without_history_what_is_replaced_goes(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    td_target_stop(bench->target, false);
    bench->target = member_start(&bench->member, TD_A, bench->source, NULL, &bench->reports);
    put_text(bench->member.collection, "dir/a/b", "old");
    put_text(bench->member.collection, "file", "old");
    put_text(bench->member.collection, "gone", "old");
    put_text(bench->source, "dir", "new");
    put_text(bench->source, "file/x", "new");
    assert_int_equal(copy_to(bench->target, 1, bench->source, "dir"), TD_COPY_READ);
    submit(bench->target, 2, TD_ACT_MKDIR, bench->source, "file", NULL);
    assert_int_equal(copy_to(bench->target, 3, bench->source, "file/x"), TD_COPY_READ);
    submit_delete(bench->target, 4, "gone", true);
    td_target_flush(bench->target);
    for (int64_t id = 1; id <= 4; id++)
        assert_done(bench, id, 0);
    assert_text(bench->member.collection, "dir", "new");
    assert_text(bench->member.collection, "file/x", "new");
    assert_int_equal(kind_of(bench->member.collection, "gone"), 0);
    assert_int_equal(kind_of(bench->member.store, "history"), 0);
    assert_clean(bench);
}

/* --- hard links ----------------------------------------------------------------------------------------------- */

static ino_t inode_of(int root, const char *path, nlink_t *links) {
    const char *name;
    struct stat st;
    TD_AUTOCLOSE int dir = td_open_parent(root, path, &name);
    assert_true(dir >= 0);
    assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (links)
        *links = st.st_nlink;
    return st.st_ino;
}

static void links_share_their_leaders_inode(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    nlink_t links;
    put_text(bench->source, "leader", "x");
    put_text(bench->source, "d/other", "x");
    put_text(bench->member.collection, "d/other", "old");
    assert_int_equal(copy_to(bench->target, 1, bench->source, "leader"), TD_COPY_READ);
    submit(bench->target, 2, TD_ACT_LINK, bench->source, "d/other", "leader");
    submit(bench->target, 3, TD_ACT_LINK, bench->source, "d/other", "leader"); /* a second time changes nothing */
    td_target_flush(bench->target);
    for (int64_t id = 1; id <= 3; id++)
        assert_done(bench, id, 0);
    ino_t ino = inode_of(bench->member.collection, "leader", &links);
    assert_int_equal(links, 2);
    assert_int_equal(inode_of(bench->member.collection, "d/other", NULL), ino);
    assert_text(bench->member.store, OLD "d/other", "old");
    assert_int_equal(names_in(bench->member.store, OLD "d"), 1);
    assert_clean(bench);
}

/* --- moves ---------------------------------------------------------------------------------------------------- */

static void moves_may_swap_and_chain(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    static const char *const old[] = {"a", "b", "c", "d", "new/e"};
    static const struct {
        const char *from, *to, *text;
    } move[] = {{"a", "b", "AAAA"}, {"b", "a", "BBBB"}, {"c", "d", "CCCC"}, {"d", "new/e", "DDDD"}};
    for (int i = 0; i < 4; i++)
        put_text(bench->member.collection, old[i], move[i].text);
    for (int i = 0; i < 4; i++)
        put_text(bench->source, move[i].to, move[i].text);
    put_dir(bench->source, "new");
    submit(bench->target, 10, TD_ACT_MKDIR, bench->source, "new", NULL);
    for (int i = 0; i < 4; i++)
        submit(bench->target, i, TD_ACT_MOVE, bench->source, move[i].to, move[i].from);
    submit_delete(bench->target, 11, "c", false);
    td_target_flush(bench->target);
    for (int i = 0; i < 4; i++) {
        assert_done(bench, i, 0);
        assert_text(bench->member.collection, move[i].to, move[i].text);
    }
    assert_done(bench, 11, 0);
    assert_int_equal(kind_of(bench->member.collection, "c"), 0);
    assert_int_equal(kind_of(bench->member.store, OLD "c"), 0);
    assert_clean(bench);
}

static void a_moved_file_gets_its_new_attributes(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->member.collection, "from", "text");
    put_text(bench->source, "to", "text");
    assert_int_equal(fchmodat(bench->source, "to", 0640, 0), 0);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = -1000, .tv_nsec = 7}};
    assert_int_equal(utimensat(bench->source, "to", times, 0), 0);
    submit(bench->target, 1, TD_ACT_MOVE, bench->source, "to", "from");
    submit_delete(bench->target, 2, "from", false);
    td_target_flush(bench->target);
    struct stat st;
    assert_int_equal(fstatat(bench->member.collection, "to", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, -1000);
    assert_int_equal(st.st_mtim.tv_nsec, 7);
    assert_int_equal(st.st_nlink, 1);
}

/* "The content lives on under another path" is not believed when it does not. */
static void a_failed_move_loses_nothing(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    put_text(bench->member.collection, "from", "another size");
    put_text(bench->source, "to", "text");
    submit(bench->target, 1, TD_ACT_MOVE, bench->source, "to", "from");
    submit(bench->target, 2, TD_ACT_MOVE, bench->source, "to", "nowhere");
    submit_delete(bench->target, 3, "from", false);
    td_target_flush(bench->target);
    assert_done(bench, 1, ESTALE);
    assert_done(bench, 2, ENOENT);
    assert_done(bench, 3, 0);
    assert_int_equal(kind_of(bench->member.collection, "to"), 0);
    assert_text(bench->member.store, OLD "from", "another size");
    assert_clean(bench);
}

/* --- deletions and attributes --------------------------------------------------------------------------------- */

static void deletions_go_to_history(void **state) {
    NEED_ROOT();
    struct bench *bench = *state;
    struct stat st;
    put_text(bench->member.collection, "d/e/f", "old");
    put_text(bench->member.collection, "full/x", "stays");
    assert_int_equal(fchmodat(bench->member.collection, "d", 0751, 0), 0);
    submit_delete(bench->target, 1, "d/e/f", true);
    submit_delete(bench->target, 2, "d/e", true);
    submit_delete(bench->target, 3, "d", true);
    submit_delete(bench->target, 4, "full", true);
    submit_delete(bench->target, 5, "nothing/here", true);
    submit_delete(bench->target, 6, "full/x/below", false);
    submit_delete(bench->target, 7, "", true);
    td_target_flush(bench->target);
    assert_done(bench, 1, 0);
    assert_done(bench, 2, 0);
    assert_done(bench, 3, 0);
    assert_done(bench, 4, ENOTEMPTY);
    assert_done(bench, 5, 0);
    assert_done(bench, 6, 0);
    assert_done(bench, 7, EINVAL);
    assert_int_equal(kind_of(bench->member.collection, "d"), 0);
    assert_text(bench->member.store, OLD "d/e/f", "old");
    assert_int_equal(fstatat(bench->member.store, OLD "d", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_text(bench->member.collection, "full/x", "stays");
    assert_int_equal(kind_of(bench->member.store, OLD "full"), 0);
}

int main(void) {
    possible = member_possible();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(copies_are_placed_and_reported_when_durable),
        TEST(old_versions_go_to_history),
        TEST(quarantine_takes_what_a_repair_replaces),
        TEST(every_kind_replaces_every_kind),
        TEST(without_history_what_is_replaced_goes),
        TEST(links_share_their_leaders_inode),
        TEST(moves_may_swap_and_chain),
        TEST(a_moved_file_gets_its_new_attributes),
        TEST(a_failed_move_loses_nothing),
        TEST(deletions_go_to_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
