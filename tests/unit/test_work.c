/* ledger/work.h: walks merged into rows, facts about hard links, operations, jobs, evidence. */
#include "twindock/base/buf.h"
#include "twindock/ledger/work.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A TD_SIDE_BIT(TD_A)
#define B TD_SIDE_BIT(TD_B)

static struct td_ledger *ledger;
static struct td_pair pair;

static int set_up(void **state) {
    (void)state;
    if (td_ledger_open(NULL, &ledger, NULL) < 0)
        return -1;
    pair = (struct td_pair){.uuid = "u", .collection = "M", .members = {{.letter = 'A'}, {.letter = 'B'}}};
    return td_ledger_add_pair(ledger, &pair, NULL) || td_work_start(ledger, NULL);
}

static int tear_down(void **state) {
    (void)state;
    td_ledger_close(ledger);
    return 0;
}

static void check(int rc, const struct td_error *err) {
    if (rc < 0)
        fail_msg("%s", err->text);
}

static struct td_entry regular(const char *path, uint64_t ino, uint64_t size) {
    return (struct td_entry){.path = path,
                             .dev = 1,
                             .ino = ino,
                             .mode = S_IFREG | 0644,
                             .nlink = 1,
                             .size = size,
                             .mtime = {1000 + (time_t)size, 7}};
}

static void scan(enum td_side side, const struct td_entry *entry) {
    struct td_error err = {0};
    check(td_work_scan(ledger, side, entry, &err), &err);
}

static void scan_file(enum td_side side, const char *path, uint64_t ino, uint32_t nlink) {
    struct td_entry entry = regular(path, ino, 10);
    entry.nlink = nlink;
    scan(side, &entry);
}

static void scan_all(const char *path, uint64_t ino) {
    for (int side = 0; side < TD_SIDES; side++)
        scan_file((enum td_side)side, path, ino, 1);
}

static void scan_error(const char *path, uint32_t mode) {
    struct td_entry entry = {.path = path, .mode = mode, .error = EACCES};
    scan(TD_SOURCE, &entry);
}

static struct td_file known(const char *path, uint64_t ino, uint64_t size, uint8_t hash) {
    struct td_file f = {.entry = regular(path, ino, size), .has_hash = true};
    memset(f.hash, hash, sizeof(f.hash));
    return f;
}

static void put(const struct td_file *f) {
    struct td_error err = {0};
    check(td_ledger_put_file(ledger, pair.id, f, &err), &err);
}

/* --- walks ------------------------------------------------------------------------------------------- */

static void test_an_entry_comes_back(void **state) {
    (void)state;
    struct td_entry in = regular("dir/\xff\x01", UINT64_MAX, UINT64_MAX), out;
    in.uid = 7;
    in.gid = UINT32_MAX;
    in.blocks = 99;
    in.ctime = (struct timespec){-1, 999999999};
    in.rdev = UINT64_MAX - 1;
    in.error = EIO;
    memset(in.xattrs, 3, sizeof(in.xattrs));
    scan(TD_B, &in);
    assert_int_equal(td_work_entry(ledger, TD_A, in.path, &out, NULL), -ENOENT);
    assert_int_equal(td_work_entry(ledger, TD_B, in.path, &out, NULL), 0);
    assert_string_equal(out.path, in.path);
    assert_true(out.dev == 1 && out.ino == UINT64_MAX && out.size == UINT64_MAX && out.blocks == 99);
    assert_true(out.mode == in.mode && out.uid == 7 && out.gid == UINT32_MAX && out.nlink == 1);
    assert_true(out.rdev == in.rdev && out.error == EIO && !out.target);
    assert_true(td_same_time(&out.mtime, &in.mtime) && td_same_time(&out.ctime, &in.ctime));
    assert_memory_equal(out.xattrs, in.xattrs, TD_HASH_LEN);
    struct td_entry link = {.path = "", .mode = S_IFLNK | 0777, .target = "to"};
    scan(TD_B, &link);
    in.size = 4; /* described again: replaced */
    scan(TD_B, &in);
    assert_int_equal(td_work_entry(ledger, TD_B, "", &out, NULL), 0);
    assert_string_equal(out.path, "");
    assert_string_equal(out.target, "to");
    assert_int_equal(td_work_entry(ledger, TD_B, in.path, &out, NULL), 0);
    assert_true(out.size == 4);
    assert_int_equal(td_work_clear_side(ledger, TD_B, NULL), 0);
    assert_int_equal(td_work_entry(ledger, TD_B, "", &out, NULL), -ENOENT);
    scan(TD_A, &in);
    assert_int_equal(td_work_start(ledger, NULL), 0); /* anew */
    assert_int_equal(td_work_entry(ledger, TD_A, in.path, &out, NULL), -ENOENT);
}

static void test_totals_count_hard_links_once(void **state) {
    (void)state;
    uint64_t files, bytes;
    assert_int_equal(td_work_totals(ledger, TD_A, &files, &bytes, NULL), 0);
    assert_true(files == 0 && bytes == 0);
    scan_file(TD_A, "one", 1, 1);
    scan_file(TD_A, "two", 2, 2);
    scan_file(TD_A, "two again", 2, 2);
    scan_file(TD_A, "three, its other name outside", 3, 2);
    scan_file(TD_B, "elsewhere", 4, 1);
    struct td_entry dir = {.path = "d", .mode = S_IFDIR | 0755, .nlink = 5};
    scan(TD_A, &dir);
    assert_int_equal(td_work_totals(ledger, TD_A, &files, &bytes, NULL), 0);
    assert_true(files == 3 && bytes == 30);
}

/* --- rows -------------------------------------------------------------------------------------------- */

/* Each row as "path:SABL>leader!Aa" : where it is, its leader, linked (lower case), tangled (t), shielded (s). */
static int describe(void *ctx, const struct td_row *row) {
    struct td_buf *out = ctx;
    td_buf_printf(out, "%s:%s%s%s%s", row->path, row->side[TD_SOURCE] ? "S" : "", row->side[TD_A] ? "A" : "",
                  row->side[TD_B] ? "B" : "", row->ledger ? "L" : "");
    for (int side = 0; side < TD_SIDES; side++)
        if (row->side[side])
            assert_string_equal(row->side[side]->path, row->path);
    if (row->ledger)
        assert_string_equal(row->ledger->entry.path, row->path);
    if (row->leader)
        td_buf_printf(out, ">%s", row->leader);
    for (int side = TD_A; side < TD_SIDES; side++)
        td_buf_printf(out, "%s%s", row->linked[side] ? (side == TD_A ? "a" : "b") : "",
                      row->tangled[side] ? (side == TD_A ? "ta" : "tb") : "");
    td_buf_puts(out, row->shielded ? "s|" : "|");
    return 0;
}

static void assert_rows(const char *expected) {
    struct td_error err = {0};
    TD_AUTOBUF struct td_buf out = {0};
    check(td_work_link(ledger, &err), &err);
    check(td_work_rows(ledger, pair.id, describe, &out, &err), &err);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_rows_are_merged_in_byte_order(void **state) {
    (void)state;
    assert_rows("");
    scan_file(TD_SOURCE, "\xff", 9, 1);
    scan_file(TD_SOURCE, "", 1, 1);
    scan_file(TD_SOURCE, "a/b", 2, 1);
    scan_file(TD_A, "a-b", 3, 1);
    scan_file(TD_B, "a", 4, 1);
    scan_file(TD_A, "a", 4, 1);
    scan_file(TD_SOURCE, "a", 4, 1);
    scan_file(TD_B, "\x01", 5, 1);
    scan_file(TD_B, "a/b", 6, 1);
    scan_file(TD_A, "a\xc3\xa4", 7, 1);
    scan_file(TD_B, "aa", 7, 1);
    struct td_file f = known("a", 1, 10, 1), g = known("zz", 1, 10, 1), h = known("\x01", 1, 10, 1);
    put(&f);
    put(&g);
    put(&h);
    assert_rows(":S|\x01:BL|a:SABL|a-b:A|a/b:SB|aa:B|a\xc3\xa4:A|zz:L|\xff:S|");
}

static int stop_at_second(void *ctx, const struct td_row *row) {
    (void)row;
    return ++*(int *)ctx == 2 ? -ECANCELED : 0;
}

/* What the callback does elsewhere does not disturb the merge, whatever is in flight. */
static int write_meanwhile(void *ctx, const struct td_row *row) {
    struct td_error err = {0};
    struct td_file f = known(row->path, 1, 10, 1);
    const struct td_work_op op = {.action = TD_ACT_COPY, .path = row->path, .members = A | B};
    put(&f);
    check(td_work_add_op(ledger, &op, &err), &err);
    ++*(int *)ctx;
    return 0;
}

static void test_rows_and_writes_meanwhile(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char path[16];
        snprintf(path, sizeof(path), "%05d", i * 2);
        scan_all(path, 1);
        snprintf(path, sizeof(path), "%05d", i * 3);
        struct td_file f = known(path, 1, 10, 1);
        if (i % 10 == 0)
            put(&f);
    }
    int seen = 0;
    assert_int_equal(td_work_rows(ledger, pair.id, stop_at_second, &seen, NULL), -ECANCELED);
    assert_int_equal(seen, 2);
    seen = 0;
    assert_int_equal(td_work_rows(ledger, pair.id, write_meanwhile, &seen, NULL), 0);
    assert_int_equal(seen, 3000 + 100); /* of the multiples of 30 up to 9000 those below 6000 have been scanned */
    uint64_t count, bytes;
    assert_int_equal(td_work_op_totals(ledger, TD_ACT_COPY, &count, &bytes, NULL), 0);
    assert_int_equal(count, seen);
    assert_int_equal(td_ledger_totals(ledger, pair.id, &count, &bytes, NULL), 0);
    assert_int_equal(count, seen);
}

static void test_hard_links(void **state) {
    (void)state;
    /* a group of three; A has it so, B has two of them linked and the third separate */
    scan_file(TD_SOURCE, "g/1", 5, 3);
    scan_file(TD_SOURCE, "g/2", 5, 3);
    scan_file(TD_SOURCE, "x", 5, 3);
    for (int side = TD_A; side < TD_SIDES; side++)
        scan_file((enum td_side)side, "g/1", 50, side == TD_A ? 3 : 2);
    for (int side = TD_A; side < TD_SIDES; side++)
        scan_file((enum td_side)side, "g/2", 50, side == TD_A ? 3 : 2);
    scan_file(TD_A, "x", 50, 3);
    scan_file(TD_B, "x", 51, 1);
    /* one name in the tree, the other outside: no group to speak of */
    scan_file(TD_SOURCE, "y", 6, 2);
    scan_file(TD_A, "y", 60, 1);
    /* directories have many links */
    struct td_entry dir = {.path = "z", .dev = 1, .ino = 7, .nlink = 9, .mode = S_IFDIR | 0755};
    struct td_entry other = dir;
    other.path = "zz";
    scan(TD_SOURCE, &dir);
    scan(TD_SOURCE, &other);
    assert_rows("g/1:SAB|g/2:SAB>g/1ab|x:SAB>g/1a|y:SA|z:S|zz:S|");
}

static void test_tangled(void **state) {
    (void)state;
    /* separate in the source, one inode on A: the first keeps it */
    scan_file(TD_SOURCE, "p1", 1, 1);
    scan_file(TD_SOURCE, "p2", 2, 1);
    scan_file(TD_A, "p1", 10, 2);
    scan_file(TD_A, "p2", 10, 2);
    /* q1 goes away: q2 may keep the inode, q3 is another file */
    scan_file(TD_SOURCE, "q2", 3, 1);
    scan_file(TD_SOURCE, "q3", 4, 1);
    scan_file(TD_B, "q1", 20, 3);
    scan_file(TD_B, "q2", 20, 3);
    scan_file(TD_B, "q3", 20, 3);
    /* two groups woven into one inode */
    scan_file(TD_SOURCE, "r1", 5, 2);
    scan_file(TD_SOURCE, "r2", 6, 2);
    scan_file(TD_SOURCE, "r3", 5, 2);
    scan_file(TD_SOURCE, "r4", 6, 2);
    for (int i = 1; i <= 4; i++) {
        char path[16];
        snprintf(path, sizeof(path), "r%d", i);
        scan_file(TD_A, path, 30, 4);
    }
    /* the same inode number on another filesystem, or on the other member, is another inode */
    scan_file(TD_SOURCE, "s1", 8, 1);
    scan_file(TD_SOURCE, "s2", 9, 1);
    scan_file(TD_A, "s1", 40, 2);
    scan_file(TD_B, "s2", 40, 2);
    assert_rows("p1:SA|p2:SAta|q1:B|q2:SB|q3:SBtb|r1:SA|r2:SAta|r3:SA>r1a|r4:SA>r2ata|s1:SA|s2:SB|");
}

static void test_shielded(void **state) {
    (void)state;
    scan_error("a", S_IFDIR);
    scan_error("f", S_IFREG);
    static const char *const paths[] = {"a", "a-b", "a-b/c", "a/b", "a/b/c", "ab", "b/a", "f", "f/x", "g"};
    for (size_t i = 0; i < 10; i++)
        scan_file(TD_A, paths[i], 1, 1);
    struct td_entry elsewhere = {.path = "b", .mode = S_IFDIR, .error = EIO}; /* unreadable on a member only */
    scan(TD_B, &elsewhere);
    assert_rows("a:SA|a-b:A|a-b/c:A|a/b:As|a/b/c:As|ab:A|b:B|b/a:A|f:SA|f/x:As|g:A|");
    scan_error("", S_IFDIR);
    assert_rows(":S|a:SAs|a-b:As|a-b/c:As|a/b:As|a/b/c:As|ab:As|b:Bs|b/a:As|f:SAs|f/x:As|g:As|");
}

/* --- operations -------------------------------------------------------------------------------------- */

static void add(enum td_action action, const char *path, unsigned members, uint64_t size) {
    struct td_error err = {0};
    const struct td_work_op op = {.action = action,
                                  .why = action == TD_ACT_DELETE ? TD_WHY_GONE : TD_WHY_NEW,
                                  .members = members,
                                  .path = path,
                                  .keep = action == TD_ACT_DELETE,
                                  .size = size};
    check(td_work_add_op(ledger, &op, &err), &err);
}

/* "path<from/members/keep;" of one action in its order. */
static void assert_ops(enum td_action action, const char *expected) {
    struct td_error err = {0};
    struct td_cursor *cursor;
    struct td_work_op op;
    TD_AUTOBUF struct td_buf out = {0};
    int rc;
    check(td_work_ops(ledger, action, &cursor, &err), &err);
    while ((rc = td_work_next_op(cursor, &op, &err)) > 0) {
        assert_int_equal(op.action, action);
        assert_true(op.id > 0);
        td_buf_printf(&out, "%s%s%s/%s%s%s;", op.path, op.from ? "<" : "", op.from ? op.from : "",
                      op.members & A ? "A" : "", op.members & B ? "B" : "", op.keep ? "k" : "");
    }
    check(rc, &err);
    td_cursor_close(cursor);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_orders_of_operations(void **state) {
    (void)state;
    scan_file(TD_SOURCE, "a", 30, 1);
    scan_file(TD_SOURCE, "b", 10, 1);
    scan_file(TD_SOURCE, "c", 20, 1);
    static const char *const paths[] = {"a/b", "c", "a-b", "a", "b", "d"};
    for (size_t i = 0; i < 6; i++) {
        add(TD_ACT_COPY, paths[i], A, 1);
        add(TD_ACT_MKDIR, paths[i], B, 1);
        add(TD_ACT_DELETE, paths[i], A | B, 1);
    }
    assert_ops(TD_ACT_COPY, "a-b/A;a/b/A;d/A;b/A;c/A;a/A;"); /* unknown inodes first, then 10, 20, 30 */
    assert_ops(TD_ACT_MKDIR, "a/B;a-b/B;a/b/B;b/B;c/B;d/B;");
    assert_ops(TD_ACT_DELETE, "d/ABk;c/ABk;b/ABk;a/b/ABk;a-b/ABk;a/ABk;");
    assert_ops(TD_ACT_LINK, "");
    uint64_t count, bytes;
    assert_int_equal(td_work_op_totals(ledger, TD_ACT_DELETE, &count, &bytes, NULL), 0);
    assert_true(count == 6 && bytes == 6);
    assert_int_equal(td_work_clear_ops(ledger, NULL), 0);
    assert_ops(TD_ACT_COPY, "");
}

static void test_an_operation_comes_back(void **state) {
    (void)state;
    struct td_error err = {0};
    scan_file(TD_B, "p\xff", 77, 1);
    const struct td_work_op in = {.action = TD_ACT_COPY,
                                  .why = TD_WHY_REPAIR,
                                  .members = A,
                                  .path = "p\xff",
                                  .from = "q",
                                  .quarantine = true,
                                  .origin = TD_B,
                                  .size = UINT64_MAX};
    check(td_work_add_op(ledger, &in, &err), &err);
    struct td_cursor *cursor, *second;
    struct td_work_op op;
    assert_int_equal(td_work_ops(ledger, TD_ACT_COPY, &cursor, NULL), 0);
    assert_int_equal(td_work_ops(ledger, TD_ACT_COPY, &second, NULL), 0); /* two of a kind */
    assert_int_equal(td_work_next_op(second, &op, NULL), 1);
    assert_int_equal(td_work_next_op(second, &op, NULL), 0);
    td_cursor_close(second);
    assert_int_equal(td_work_next_op(cursor, &op, NULL), 1);
    assert_true(op.why == TD_WHY_REPAIR && op.members == A && op.origin == TD_B && op.size == UINT64_MAX);
    assert_true(op.quarantine && !op.keep);
    assert_string_equal(op.path, "p\xff");
    assert_string_equal(op.from, "q");
    assert_int_equal(td_work_next_op(cursor, &op, NULL), 0);
    td_cursor_close(cursor);
    td_cursor_close(NULL);
}

/* --- proof ------------------------------------------------------------------------------------------- */

static void test_entries(void **state) {
    (void)state;
    struct td_entry dir = {.path = "b", .mode = S_IFDIR | 0755}, entry;
    scan_file(TD_A, "c", 3, 1);
    scan_file(TD_A, "a", 1, 1);
    scan(TD_A, &dir);
    scan_file(TD_B, "other", 1, 1);
    for (int only = 0; only < 2; only++) {
        struct td_cursor *cursor;
        TD_AUTOBUF struct td_buf out = {0};
        assert_int_equal(td_work_entries(ledger, TD_A, only, &cursor, NULL), 0);
        while (td_work_next_entry(cursor, &entry, NULL) > 0)
            td_buf_printf(&out, "%s%lu;", entry.path, entry.ino);
        td_cursor_close(cursor);
        assert_string_equal(td_buf_text(&out), only ? "b0;" : "a1;b0;c3;");
    }
}

static void assert_jobs(enum td_side side, int64_t cycle, const char *expected, uint64_t bytes_wanted) {
    struct td_error err = {0};
    struct td_cursor *cursor, *second;
    struct td_work_job job;
    TD_AUTOBUF struct td_buf out = {0};
    uint64_t count, bytes, seen = 0;
    check(td_work_jobs(ledger, pair.id, side, cycle, &count, &bytes, &cursor, &err), &err);
    check(td_work_jobs(ledger, pair.id, side, cycle, &count, &bytes, &second, &err), &err); /* lists do not mix */
    td_cursor_close(second);
    while (td_work_next_job(cursor, &job, &err) > 0) {
        td_buf_printf(&out, "%s;", job.path);
        seen++;
        /* proving goes on while the list is read, and does not change it */
        int rc = td_ledger_hold(ledger, pair.id, job.path, false, NULL);
        assert_true(rc == 0 || rc == -ENOENT);
    }
    td_cursor_close(cursor);
    assert_string_equal(td_buf_text(&out), expected);
    assert_true(count == seen && bytes == bytes_wanted);
}

static void test_jobs(void **state) {
    (void)state;
    scan_file(TD_SOURCE, "a", 3, 1);
    scan_file(TD_SOURCE, "b", 2, 1);
    scan_file(TD_SOURCE, "c", 1, 1);
    scan_file(TD_SOURCE, "new", 9, 1);
    scan_file(TD_A, "a", 11, 1);
    scan_file(TD_A, "b", 12, 1);
    scan_file(TD_A, "c", 13, 1);
    scan_file(TD_A, "not in the source", 14, 1);
    struct td_entry dir = {.path = "d", .mode = S_IFDIR | 0755};
    scan(TD_SOURCE, &dir);
    scan_error("e", S_IFREG);
    struct td_file a = known("a", 3, 10, 1), b = known("b", 2, 10, 1), c = known("c", 1, 10, 1);
    a.cycle[TD_A] = 7;
    b.cycle[TD_A] = 6;
    b.cycle[TD_SOURCE] = 7;
    c.has_hash = false;
    c.cycle[TD_A] = 7;
    put(&a);
    put(&b);
    put(&c);
    assert_jobs(TD_A, 7, "new;b;c;", 30); /* no place known, then inodes 12 and 13 */
    assert_jobs(TD_A, 8, "new;a;b;c;", 40);
    assert_jobs(TD_B, 7, "a;b;c;new;", 40); /* nothing known there: by path */
    assert_jobs(TD_SOURCE, 7, "c;a;new;", 30);
}

/* "path:" and what may be concluded from reading it: e(xpected), w(hole) at its place. */
static void assert_hints(enum td_side side, const char *expected) {
    struct td_error err = {0};
    struct td_cursor *cursor;
    struct td_work_job job;
    TD_AUTOBUF struct td_buf out = {0};
    uint64_t count, bytes;
    check(td_work_jobs(ledger, pair.id, side, 7, &count, &bytes, &cursor, &err), &err);
    while (td_work_next_job(cursor, &job, &err) > 0) {
        td_buf_printf(&out, "%s:%s%s;", job.path, job.expected ? "e" : "", job.whole ? "w" : "");
        assert_true(!job.expected || job.hash[0] == 9);
        assert_true(!job.whole || job.place == 4096);
    }
    td_cursor_close(cursor);
    assert_string_equal(td_buf_text(&out), expected);
}

static void test_what_reading_may_confirm(void **state) {
    (void)state;
    static const char *const paths[] = {"as known", "chmod",      "held",   "linked",
                                        "moved",    "other size", "pieces", "touched"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct td_file f = known(paths[i], 5, 10, 9);
        struct td_entry source = f.entry, member = f.entry;
        f.held = strcmp(paths[i], "held") == 0;
        source.mode = strcmp(paths[i], "chmod") == 0 ? S_IFREG | 0600 : source.mode;
        source.ctime.tv_nsec = strcmp(paths[i], "touched") == 0 ? 1 : 0;
        source.nlink = f.entry.nlink = strcmp(paths[i], "linked") == 0 ? 2 : 1;
        member.size = strcmp(paths[i], "other size") == 0 ? 11 : 10;
        member.whole = strcmp(paths[i], "pieces") != 0;
        member.place = 4096;
        put(&f);
        scan(TD_SOURCE, &source);
        scan(TD_A, &member);
    }
    add(TD_ACT_MOVE, "moved", TD_SIDE_BIT(TD_A), 10);
    assert_hints(TD_A, "as known:ew;chmod:ew;held:ew;linked:w;moved:e;other size:e;pieces:e;touched:ew;");
    assert_hints(TD_SOURCE, "as known:e;chmod:;held:;linked:;moved:e;other size:e;pieces:e;touched:;");
}

static int list_followers(void *ctx, const char *path) {
    td_buf_printf(ctx, "%s;", path);
    return 0;
}

static void test_jobs_of_hard_links(void **state) {
    (void)state;
    scan_file(TD_SOURCE, "g2", 5, 3);
    scan_file(TD_SOURCE, "g1", 5, 3);
    scan_file(TD_SOURCE, "g3", 5, 3);
    scan_file(TD_SOURCE, "single", 6, 1);
    for (int i = 0; i < 3; i++)
        scan_file(TD_A, (const char *[]){"g1", "g2", "g3"}[i], 50, 3);
    struct td_file files[] = {known("g1", 5, 10, 1), known("g2", 5, 10, 1), known("g3", 5, 10, 1),
                              known("single", 6, 10, 1)};
    assert_jobs(TD_A, 7, "single;g1;", 20);
    for (int i = 0; i < 4; i++) {
        files[i].cycle[TD_A] = 7;
        put(&files[i]);
    }
    assert_jobs(TD_A, 7, "", 0);
    files[1].cycle[TD_A] = 0; /* one name unproven: read by the first */
    put(&files[1]);
    assert_jobs(TD_A, 7, "g1;", 10);
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "g3", NULL), 0); /* or not in the ledger yet */
    assert_jobs(TD_A, 7, "g1;", 10);
    TD_AUTOBUF struct td_buf out = {0};
    assert_int_equal(td_work_followers(ledger, "g1", list_followers, &out, NULL), 0);
    assert_string_equal(td_buf_text(&out), "g2;g3;");
    scan_file(TD_A, "g2", 51, 1); /* a file of its own on the member: read by itself */
    assert_jobs(TD_A, 7, "g1;g2;", 20);
    files[1].cycle[TD_A] = 7;
    put(&files[1]);
    assert_jobs(TD_A, 7, "g1;", 10);
    put(&files[2]);
    assert_jobs(TD_A, 7, "", 0);
    files[2].cycle[TD_B] = 7;
    put(&files[2]);
    assert_jobs(TD_B, 7, "g1;g2;single;", 30); /* B has none of them: one is proven by itself, the others cannot be */
    assert_jobs(TD_SOURCE, 7, "g1;single;", 20);
    td_buf_clear(&out);
    assert_int_equal(td_work_followers(ledger, "single", list_followers, &out, NULL), 0);
    assert_int_equal(td_work_followers(ledger, "no such", list_followers, &out, NULL), 0);
    assert_string_equal(td_buf_text(&out), "");
}

static void test_evidence(void **state) {
    (void)state;
    uint8_t hash[TD_HASH_LEN], none[TD_HASH_LEN] = {0};
    struct td_work_evidence e;
    struct td_cursor *cursor;
    memset(hash, 8, sizeof(hash));
    assert_int_equal(td_work_evidence(ledger, "p", &e, NULL), -ENOENT);
    assert_int_equal(td_work_testify(ledger, "p", TD_A, EIO, false, NULL, NULL), 0);
    assert_int_equal(td_work_testify(ledger, "p", TD_SOURCE, 0, true, NULL, NULL), 0);
    assert_int_equal(td_work_testify(ledger, "b/\xff", TD_B, 0, false, hash, NULL), 0);
    assert_int_equal(td_work_testify(ledger, "q", TD_B, 0, false, none, NULL), 0);
    assert_int_equal(td_work_evidence(ledger, "p", &e, NULL), 0);
    assert_true(e.side[TD_SOURCE].asked && e.side[TD_SOURCE].changing && e.side[TD_SOURCE].error == 0);
    assert_true(e.side[TD_A].asked && e.side[TD_A].error == EIO && !e.side[TD_A].changing);
    assert_false(e.side[TD_B].asked);
    assert_int_equal(td_work_testify(ledger, "p", TD_A, 0, false, hash, NULL), 0); /* asked again */
    assert_int_equal(td_work_evidence(ledger, "p", &e, NULL), 0);
    assert_int_equal(e.side[TD_A].error, 0);
    assert_memory_equal(e.side[TD_A].hash, hash, TD_HASH_LEN);
    assert_int_equal(td_work_evidences(ledger, &cursor, NULL), 0);
    assert_int_equal(td_work_next_evidence(cursor, &e, NULL), 1);
    assert_string_equal(e.path, "b/\xff");
    assert_memory_equal(e.side[TD_B].hash, hash, TD_HASH_LEN);
    assert_int_equal(td_work_drop_evidence(ledger, "b/\xff", NULL), 0); /* done with it, while the cursor is open */
    assert_int_equal(td_work_drop_evidence(ledger, "p", NULL), 0);      /* and one that it has not reached */
    assert_int_equal(td_work_next_evidence(cursor, &e, NULL), 1);
    assert_string_equal(e.path, "q");
    assert_int_equal(td_work_next_evidence(cursor, &e, NULL), 0);
    td_cursor_close(cursor);
    assert_int_equal(td_work_evidence(ledger, "p", &e, NULL), -ENOENT);
}

/* What the working tables gather is not lost when the ledger's transaction is, unless it was part of it. */
static void test_transactions(void **state) {
    (void)state;
    struct td_entry out;
    scan_file(TD_A, "before", 1, 1);
    td_ledger_rollback(ledger); /* none is open */
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    scan_file(TD_A, "within", 2, 1);
    assert_int_equal(td_work_entry(ledger, TD_A, "within", &out, NULL), 0);
    td_ledger_rollback(ledger);
    assert_int_equal(td_work_entry(ledger, TD_A, "before", &out, NULL), 0);
    assert_int_equal(td_work_entry(ledger, TD_A, "within", &out, NULL), -ENOENT);
    for (int i = 0; i < 2500; i++) { /* over the size of a batch */
        char path[16];
        snprintf(path, sizeof(path), "%d", i);
        scan_file(TD_B, path, 1, 1);
    }
    uint64_t files, bytes;
    assert_int_equal(td_work_totals(ledger, TD_B, &files, &bytes, NULL), 0);
    assert_int_equal(files, 2500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_an_entry_comes_back),
        TEST(test_totals_count_hard_links_once),
        TEST(test_rows_are_merged_in_byte_order),
        TEST(test_rows_and_writes_meanwhile),
        TEST(test_hard_links),
        TEST(test_tangled),
        TEST(test_shielded),
        TEST(test_orders_of_operations),
        TEST(test_an_operation_comes_back),
        TEST(test_entries),
        TEST(test_jobs),
        TEST(test_what_reading_may_confirm),
        TEST(test_jobs_of_hard_links),
        TEST(test_evidence),
        TEST(test_transactions),
    };
    return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
