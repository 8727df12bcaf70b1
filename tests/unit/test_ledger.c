/* ledger/ledger.h: opening and upgrading, pairs, runs, files, the facts of --info, the copy for the members. */
#include "twindock/base/cleanup.h"
#include "twindock/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
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
static char file[PATH_MAX + 16];
static char copy[PATH_MAX + 16];

static int make_scratch(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/twindock-ledger-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    snprintf(file, sizeof(file), "%s/ledger.db", scratch);
    snprintf(copy, sizeof(copy), "%s/copy.db", scratch);
    return 0;
}

static bool exists(const char *name, const char *ending) {
    char full[PATH_MAX + 32];
    snprintf(full, sizeof(full), "%s%s", name, ending);
    return access(full, F_OK) == 0;
}

static int empty_scratch(void **state) {
    (void)state;
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 8; i++) {
        char name[PATH_MAX + 32];
        snprintf(name, sizeof(name), "%s%s", i < 4 ? file : copy, endings[i % 4]);
        unlink(name);
    }
    return 0;
}

static int remove_scratch(void **state) {
    (void)state;
    return rmdir(scratch);
}

static struct td_ledger *open_ledger(void) {
    struct td_error err = {0};
    struct td_ledger *ledger;
    if (td_ledger_open(file, &ledger, &err) < 0)
        fail_msg("%s", err.text);
    return ledger;
}

static struct td_pair enroll(struct td_ledger *ledger, const char *collection, const char *uuid) {
    struct td_pair pair = {.layout = TD_LAYOUT_TWINS, .generation = 1, .intent = 2};
    struct td_error err = {0};
    snprintf(pair.collection, sizeof(pair.collection), "%s", collection);
    snprintf(pair.uuid, sizeof(pair.uuid), "%s", uuid);
    for (int i = 0; i < 2; i++) {
        struct td_member *m = &pair.members[i];
        m->letter = i ? 'B' : 'A';
        m->generation = 1;
        m->size = UINT64_C(4000787030016) + (uint64_t)i;
        m->identity.source = i ? TD_IDENTITY_SCSI : TD_IDENTITY_ATA;
        snprintf(m->token, sizeof(m->token), "%032d", i);
        snprintf(m->identity.serial, sizeof(m->identity.serial), "WD-%s-%d", collection, i);
        snprintf(m->identity.wwn, sizeof(m->identity.wwn), "0x5000%d", i);
        snprintf(m->identity.model, sizeof(m->identity.model), "Model %d", i);
    }
    if (td_ledger_add_pair(ledger, &pair, &err) < 0)
        fail_msg("%s", err.text);
    return pair;
}

static struct td_file make_file(const char *path, uint64_t size) {
    struct td_file f = {.entry = {.path = path,
                                  .dev = 0xfe01,
                                  .ino = 1234567,
                                  .mode = S_IFREG | 0644,
                                  .nlink = 1,
                                  .size = size,
                                  .blocks = 8,
                                  .mtime = {1400000000, 123456789},
                                  .ctime = {1400000001, 5}},
                        .has_hash = true};
    memset(f.hash, 0x5a, sizeof(f.hash));
    return f;
}

static void put(struct td_ledger *ledger, int64_t pair, const struct td_file *f) {
    struct td_error err = {0};
    if (td_ledger_put_file(ledger, pair, f, &err) < 0)
        fail_msg("%s", err.text);
}

/* --- opening ----------------------------------------------------------------------------------------- */

static void set_header_number(off_t offset, uint32_t value) {
    TD_AUTOCLOSE int fd = open(file, O_WRONLY | O_CLOEXEC);
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    assert_int_equal(pwrite(fd, bytes, 4, offset), 4);
}

static uint32_t get_header_number(off_t offset) {
    TD_AUTOCLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    uint8_t b[4];
    assert_int_equal(pread(fd, b, 4, offset), 4);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void test_created_private(void **state) {
    (void)state;
    char below[PATH_MAX + 32], dir[PATH_MAX + 32];
    struct td_ledger *ledger;
    struct td_error err = {0};
    struct stat st;
    snprintf(dir, sizeof(dir), "%s/a", scratch);
    snprintf(below, sizeof(below), "%s/a/l.db", scratch);
    mode_t old = umask(0);
    assert_int_equal(td_ledger_open(below, &ledger, &err), 0);
    enroll(ledger, "M", "uuid");
    umask(old);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(below, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char wal[PATH_MAX + 64];
    snprintf(wal, sizeof(wal), "%s-wal", below);
    assert_int_equal(stat(wal, &st), 0); /* it is WAL, and as private */
    assert_int_equal(st.st_mode & 07777, 0600);
    td_ledger_close(ledger);
    assert_int_equal(unlink(below), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing left beside it */
}

static void test_schema_numbers(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    enroll(ledger, "M", "uuid");
    td_ledger_close(ledger);
    assert_int_equal(get_header_number(60), 1);          /* user_version */
    assert_int_equal(get_header_number(68), 0x5457444b); /* application_id, "TWDK" */
    ledger = open_ledger();                              /* again: nothing to upgrade, everything there */
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(count, 1);
    free(pairs);
    td_ledger_close(ledger);
}

static void test_newer_schema_is_refused(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_ledger *ledger = open_ledger();
    td_ledger_close(ledger);
    set_header_number(60, 99);
    assert_int_equal(td_ledger_open(file, &ledger, &err), -EPROTO);
    assert_null(ledger);
    assert_non_null(strstr(err.text, "upgrade twindock"));
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -EPROTO);
    assert_int_equal(get_header_number(60), 99);
    set_header_number(60, 0); /* older than any, but not empty */
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -EPROTO);
}

static void test_other_programs_database(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_ledger *ledger = open_ledger();
    td_ledger_close(ledger);
    set_header_number(68, 4711);
    assert_int_equal(td_ledger_open(file, &ledger, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "other program"));
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -EUCLEAN);
}

static void test_reader(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_ledger *ledger, *writer;
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -ENOENT);
    assert_null(ledger);
    assert_false(exists(file, ""));
    TD_AUTOCLOSE int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -ENOENT); /* an empty file is none yet */
    writer = open_ledger();
    struct td_pair pair = enroll(writer, "M", "uuid");
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), 0);
    assert_int_equal(td_ledger_begin(writer, NULL), 0);
    assert_int_equal(td_ledger_set_cycle(writer, pair.id, 7, NULL), 0);
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, &err), 0); /* not held up by the writer */
    assert_int_equal(pairs[0].cycle, 0);
    free(pairs);
    assert_int_equal(td_ledger_commit(writer, NULL), 0);
    assert_true(td_ledger_set_cycle(ledger, pair.id, 8, &err) < 0);
    td_ledger_close(ledger);
    td_ledger_close(writer);
}

static void test_damaged_files(void **state) {
    (void)state;
    struct td_error err = {0};
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid");
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    for (int i = 0; i < 500; i++) {
        char path[32];
        snprintf(path, sizeof(path), "f%04d", i);
        struct td_file f = make_file(path, 1);
        put(ledger, pair.id, &f);
    }
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    td_ledger_close(ledger);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    TD_AUTOCLOSE int fd = open(file, O_WRONLY | O_CLOEXEC);
    uint8_t junk[4096];
    memset(junk, 0xee, sizeof(junk));
    for (off_t at = st.st_size / 4096 * 3 / 4 * 4096; at + 4096 <= st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    uint64_t files, bytes;
    ledger = open_ledger();
    assert_int_equal(td_ledger_totals(ledger, pair.id, &files, &bytes, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "damaged"));
    td_ledger_close(ledger);
    assert_int_equal(pwrite(fd, junk, 64, 0), 64);
    assert_int_equal(td_ledger_open(file, &ledger, &err), -EUCLEAN);
    assert_int_equal(td_ledger_open_reader(file, &ledger, &err), -EUCLEAN);
}

static void test_temporary(void **state) {
    (void)state;
    struct td_ledger *ledger;
    assert_int_equal(td_ledger_open(NULL, &ledger, NULL), 0);
    struct td_pair pair = enroll(ledger, "M", "uuid");
    struct td_file f = make_file("x", 1);
    put(ledger, pair.id, &f);
    struct td_file out;
    assert_int_equal(td_ledger_file(ledger, pair.id, "x", &out, NULL), 0);
    td_ledger_close(ledger);
    td_ledger_close(NULL);
}

/* --- transactions ------------------------------------------------------------------------------------ */

static bool has(struct td_ledger *ledger, int64_t pair, const char *path) {
    struct td_file out;
    int rc = td_ledger_file(ledger, pair, path, &out, NULL);
    assert_true(rc == 0 || rc == -ENOENT);
    return rc == 0;
}

static void test_nested_transactions(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid");
    struct td_file f = make_file("x", 1);
    assert_int_equal(td_ledger_commit(ledger, NULL), -EINVAL);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    put(ledger, pair.id, &f);
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    assert_true(has(ledger, pair.id, "x"));
    td_ledger_rollback(ledger); /* the outer one: all of it */
    assert_false(has(ledger, pair.id, "x"));
    td_ledger_rollback(ledger);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    put(ledger, pair.id, &f);
    /* what fails within does not take the rest along */
    assert_int_equal(td_ledger_prove(ledger, pair.id, "no such", TD_A, 1, 1, NULL), -ENOENT);
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    assert_true(has(ledger, pair.id, "x"));
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "x", NULL), 0);
    td_ledger_close(ledger); /* without a commit */
    ledger = open_ledger();
    assert_true(has(ledger, pair.id, "x"));
    td_ledger_close(ledger);
}

static void test_another_process_writes(void **state) {
    (void)state;
    int ready[2], go[2];
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid");
    td_ledger_close(ledger);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c = 0;
        struct td_ledger *other;
        bool ok = td_ledger_open(file, &other, NULL) == 0 && td_ledger_begin(other, NULL) == 0 &&
                  td_ledger_set_cycle(other, pair.id, 42, NULL) == 0 && write(ready[1], &c, 1) == 1 &&
                  read(go[0], &c, 1) == 1 && td_ledger_commit(other, NULL) == 0;
        td_ledger_close(other);
        _exit(ok ? 0 : 1);
    }
    char c = 0;
    struct td_error err = {0};
    assert_int_equal(read(ready[0], &c, 1), 1);
    ledger = open_ledger(); /* opening an upgraded ledger does not write */
    td_ledger_patience(ledger, 50);
    assert_int_equal(td_ledger_begin(ledger, &err), -EBUSY);
    assert_int_equal(td_ledger_set_cycle(ledger, pair.id, 1, &err), -EBUSY);
    struct td_file f = make_file("x", 1);
    assert_int_equal(td_ledger_put_file(ledger, pair.id, &f, &err), -EBUSY);
    assert_int_equal(write(go[1], &c, 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    put(ledger, pair.id, &f);
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(pairs[0].cycle, 42);
    free(pairs);
    td_ledger_close(ledger);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

/* Two events for two disks: both processes find no ledger and make it. */
static void test_made_by_several_at_once(void **state) {
    (void)state;
    pid_t pids[6];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 6; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                struct td_ledger *own;
                struct td_run run = {.command = "run", .verdict = TD_EMPTY};
                bool ok = td_ledger_open(file, &own, NULL) == 0 && td_ledger_run_begin(own, &run, NULL) == 0;
                _exit(ok ? 0 : 1);
            }
        }
        for (int i = 0; i < 6; i++) {
            int status = -1;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        empty_scratch(NULL);
    }
}

/* --- pairs ------------------------------------------------------------------------------------------- */

static void test_pairs(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_error err = {0};
    struct td_pair tb = enroll(ledger, "Tb", "uuid-tb");
    struct td_pair m = enroll(ledger, "M", "uuid-m");
    assert_true(tb.id > 0 && m.id > 0 && m.members[0].id > 0 && m.members[1].id != m.members[0].id);
    struct td_pair twice = m;
    snprintf(twice.uuid, sizeof(twice.uuid), "another");
    assert_int_equal(td_ledger_add_pair(ledger, &twice, &err), -EEXIST);
    assert_non_null(strstr(err.text, "enrolled already"));
    twice = m;
    snprintf(twice.collection, sizeof(twice.collection), "X");
    assert_int_equal(td_ledger_add_pair(ledger, &twice, &err), -EEXIST);
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(pairs[0].collection, "M");
    assert_string_equal(pairs[1].uuid, "uuid-tb");
    assert_int_equal(pairs[0].generation, 1);
    assert_int_equal(pairs[0].intent, 2);
    const struct td_member *b = &pairs[0].members[1];
    assert_int_equal(b->letter, 'B');
    assert_int_equal(b->id, m.members[1].id);
    assert_true(b->size == UINT64_C(4000787030017));
    assert_int_equal(b->identity.source, TD_IDENTITY_SCSI);
    assert_string_equal(b->identity.serial, "WD-M-1");
    assert_string_equal(b->identity.wwn, "0x50001");
    assert_string_equal(b->identity.model, "Model 1");
    assert_string_equal(b->token, "00000000000000000000000000000001");
    assert_string_equal(b->state, "");
    free(pairs);
    td_ledger_close(ledger);
}

static void test_one_member_only(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = {.uuid = "u", .collection = "S", .layout = TD_LAYOUT_MIRRORED, .members[1] = {.letter = 'B'}};
    assert_int_equal(td_ledger_add_pair(ledger, &pair, NULL), 0);
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(pairs[0].members[0].letter, 0);
    assert_int_equal(pairs[0].members[1].letter, 'B');
    assert_int_equal(pairs[0].layout, TD_LAYOUT_MIRRORED);
    free(pairs);
    td_ledger_close(ledger);
}

static void test_generations(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair p = enroll(ledger, "M", "uuid");
    struct td_pair other = enroll(ledger, "N", "uuid2");
    struct td_pair *pairs;
    size_t count;
    assert_int_equal(td_ledger_intend(ledger, p.id, 8, NULL), 0);
    assert_int_equal(td_ledger_intend(ledger, p.id, 5, NULL), 0); /* never lowered */
    assert_int_equal(td_ledger_confirm(ledger, p.id, p.members[0].id, 8, NULL), 0);
    assert_int_equal(td_ledger_confirm(ledger, p.id, p.members[1].id, 7, NULL), 0);
    assert_int_equal(td_ledger_confirm(ledger, p.id, other.members[0].id, 99, NULL), -ENOENT);
    assert_int_equal(td_ledger_intend(ledger, 4711, 1, NULL), -ENOENT);
    assert_int_equal(td_ledger_set_cycle(ledger, p.id, 3, NULL), 0);
    assert_int_equal(td_ledger_set_cycle(ledger, 4711, 3, NULL), -ENOENT);
    assert_int_equal(td_ledger_member_state(ledger, p.members[0].id, "ok", 1000, NULL), 0);
    assert_int_equal(td_ledger_member_state(ledger, p.members[0].id, "lost", 0, NULL), 0);
    assert_int_equal(td_ledger_member_state(ledger, 4711, "ok", 0, NULL), -ENOENT);
    assert_int_equal(td_ledger_pairs(ledger, &pairs, &count, NULL), 0);
    assert_int_equal(pairs[0].generation, 8);
    assert_int_equal(pairs[0].intent, 8);
    assert_int_equal(pairs[0].cycle, 3);
    assert_int_equal(pairs[0].members[0].generation, 8);
    assert_int_equal(pairs[0].members[1].generation, 7);
    assert_string_equal(pairs[0].members[0].state, "lost");
    assert_int_equal(pairs[0].members[0].last_proven, 1000);
    assert_int_equal(pairs[1].generation, 1);
    free(pairs);
    td_ledger_close(ledger);
}

/* --- files ------------------------------------------------------------------------------------------- */

static void test_file_comes_back_whole(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid");
    struct td_file in = make_file("dir/\xff\n\x01name", UINT64_MAX);
    in.entry.dev = UINT64_MAX - 1;
    in.entry.ino = UINT64_C(1) << 63;
    in.entry.uid = UINT32_MAX;
    in.entry.gid = 65534;
    in.entry.nlink = 3;
    in.entry.rdev = 0x0801;
    in.entry.mtime = (struct timespec){INT64_C(100000000000), 999999999}; /* beyond 2262 */
    in.entry.ctime = (struct timespec){-5, 1};                            /* before 1970 */
    memset(in.entry.xattrs, 9, sizeof(in.entry.xattrs));
    in.held = true;
    for (int i = 0; i < TD_SIDES; i++) {
        in.cycle[i] = 10 + i;
        in.proven_at[i] = 100 + i;
    }
    put(ledger, pair.id, &in);
    struct td_file out;
    assert_int_equal(td_ledger_file(ledger, pair.id, in.entry.path, &out, NULL), 0);
    assert_string_equal(out.entry.path, in.entry.path);
    assert_true(out.entry.dev == in.entry.dev && out.entry.ino == in.entry.ino && out.entry.size == in.entry.size);
    assert_true(out.entry.mode == in.entry.mode && out.entry.uid == in.entry.uid && out.entry.gid == in.entry.gid);
    assert_true(out.entry.nlink == 3 && out.entry.blocks == 8 && out.entry.rdev == 0x0801 && out.entry.error == 0);
    assert_true(td_same_time(&out.entry.mtime, &in.entry.mtime) && td_same_time(&out.entry.ctime, &in.entry.ctime));
    assert_null(out.entry.target);
    assert_memory_equal(out.entry.xattrs, in.entry.xattrs, TD_HASH_LEN);
    assert_true(out.has_hash && out.held);
    assert_memory_equal(out.hash, in.hash, TD_HASH_LEN);
    assert_memory_equal(out.cycle, in.cycle, sizeof(in.cycle));
    assert_memory_equal(out.proven_at, in.proven_at, sizeof(in.proven_at));

    struct td_file link = {.entry = {.path = "link", .mode = S_IFLNK | 0777, .target = "to/\xfe"}};
    put(ledger, pair.id, &link);
    assert_int_equal(td_ledger_file(ledger, pair.id, "link", &out, NULL), 0);
    assert_string_equal(out.entry.target, "to/\xfe");
    assert_false(out.has_hash || out.held);
    assert_true(td_hash_is_zero(out.entry.xattrs));
    in.held = false; /* replaced, all of it */
    in.has_hash = false;
    put(ledger, pair.id, &in);
    assert_int_equal(td_ledger_file(ledger, pair.id, in.entry.path, &out, NULL), 0);
    assert_false(out.has_hash || out.held);
    assert_int_equal(td_ledger_file(ledger, pair.id + 1, "link", &out, NULL), -ENOENT);
    struct td_file stray = make_file("x", 1);
    assert_int_equal(td_ledger_put_file(ledger, 4711, &stray, NULL), -ENOENT); /* no such pair */
    td_ledger_close(ledger);
}

static void test_prove_hold_drop(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid");
    struct td_file a = make_file("a", 10), b = make_file("b", 5), none = make_file("none", 99), out;
    none.has_hash = false;
    put(ledger, pair.id, &a);
    put(ledger, pair.id, &b);
    put(ledger, pair.id, &none);
    uint64_t n, bytes;
    assert_int_equal(td_ledger_totals(ledger, pair.id, &n, &bytes, NULL), 0);
    assert_true(n == 2 && bytes == 15);
    const unsigned both = TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B);
    assert_int_equal(td_ledger_unproven(ledger, pair.id, both, 7, &n, &bytes, NULL), 0);
    assert_true(n == 4 && bytes == 30);
    assert_int_equal(td_ledger_prove(ledger, pair.id, "a", TD_A, 7, 1000, NULL), 0);
    assert_int_equal(td_ledger_prove(ledger, pair.id, "a", TD_SOURCE, 7, 1001, NULL), 0);
    assert_int_equal(td_ledger_prove(ledger, pair.id, "b", TD_B, 6, 900, NULL), 0);
    assert_int_equal(td_ledger_prove(ledger, pair.id, "c", TD_B, 6, 900, NULL), -ENOENT);
    assert_int_equal(td_ledger_file(ledger, pair.id, "a", &out, NULL), 0);
    assert_true(out.cycle[TD_A] == 7 && out.proven_at[TD_A] == 1000 && out.cycle[TD_B] == 0);
    assert_true(out.cycle[TD_SOURCE] == 7 && out.proven_at[TD_SOURCE] == 1001);
    assert_int_equal(td_ledger_unproven(ledger, pair.id, both, 7, &n, &bytes, NULL), 0);
    assert_true(n == 3 && bytes == 20);
    assert_int_equal(td_ledger_unproven(ledger, pair.id, TD_SIDE_BIT(TD_B), 6, &n, &bytes, NULL), 0);
    assert_true(n == 1 && bytes == 10);
    assert_int_equal(td_ledger_unproven(ledger, pair.id, 0, 7, &n, &bytes, NULL), 0);
    assert_true(n == 0 && bytes == 0);
    assert_int_equal(td_ledger_hold(ledger, pair.id, "a", true, NULL), 0);
    assert_int_equal(td_ledger_file(ledger, pair.id, "a", &out, NULL), 0);
    assert_true(out.held);
    assert_int_equal(td_ledger_hold(ledger, pair.id, "a", false, NULL), 0);
    assert_int_equal(td_ledger_file(ledger, pair.id, "a", &out, NULL), 0);
    assert_false(out.held);
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "a", NULL), 0);
    assert_int_equal(td_ledger_drop_file(ledger, pair.id, "a", NULL), -ENOENT);
    assert_false(has(ledger, pair.id, "a"));
    td_ledger_close(ledger);
}

struct order {
    struct td_ledger *ledger;
    int64_t pair;
    char last[64];
    int count;
    bool write;
};

static int check_order(void *ctx, const struct td_file *f) {
    struct order *order = ctx;
    if (order->count > 0)
        assert_true(strcmp(order->last, f->entry.path) < 0);
    snprintf(order->last, sizeof(order->last), "%s", f->entry.path);
    if (order->write) /* the file under the reader may change */
        assert_int_equal(td_ledger_prove(order->ledger, order->pair, f->entry.path, TD_A, 1, 1, NULL), 0);
    order->count++;
    return 0;
}

static int stop_at_third(void *ctx, const struct td_file *f) {
    (void)f;
    return ++*(int *)ctx == 3 ? -ECANCELED : 0;
}

static void test_files_in_path_order(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_pair pair = enroll(ledger, "M", "uuid"), other = enroll(ledger, "N", "uuid2");
    static const char *const odd[] = {"", "a", "a-b", "a/b", "a\x01", "a\xff", "\xff\xff", "a b", "ab", "\x01"};
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    for (size_t i = 0; i < 10; i++) {
        struct td_file f = make_file(odd[i], 1);
        put(ledger, pair.id, &f);
    }
    for (int i = 0; i < 1000; i++) { /* several pages of the reader */
        char path[32];
        snprintf(path, sizeof(path), "n%d", i);
        struct td_file f = make_file(path, 1);
        put(ledger, pair.id, &f);
        put(ledger, other.id, &f);
    }
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    struct order order = {.ledger = ledger, .pair = pair.id, .write = true};
    assert_int_equal(td_ledger_files(ledger, pair.id, check_order, &order, NULL), 0);
    assert_int_equal(order.count, 1010);
    assert_string_equal(order.last, "\xff\xff");
    order = (struct order){.ledger = ledger, .pair = 4711};
    assert_int_equal(td_ledger_files(ledger, 4711, check_order, &order, NULL), 0);
    assert_int_equal(order.count, 0);
    int seen = 0;
    assert_int_equal(td_ledger_files(ledger, pair.id, stop_at_third, &seen, NULL), -ECANCELED);
    assert_int_equal(seen, 3);
    td_ledger_close(ledger);
}

/* --- the copy ---------------------------------------------------------------------------------------- */

static int see_incident(void *ctx, const struct td_incident *incident) {
    struct td_incident *out = ctx;
    *out = *incident;
    out->path = strdup(incident->path);
    return 1;
}

static void test_export(void **state) {
    (void)state;
    struct td_ledger *ledger = open_ledger();
    struct td_error err = {0};
    struct td_pair m = enroll(ledger, "M", "uuid-m"), n = enroll(ledger, "N", "uuid-n");
    struct td_file f = make_file("of m", 1), g = make_file("of n", 2);
    put(ledger, m.id, &f);
    put(ledger, n.id, &g);
    struct td_run run = {.pair = n.id, .command = "run", .collection = "N", .result = TD_RESULT_DONE};
    struct td_run theirs = {.pair = m.id, .command = "run", .collection = "M"};
    assert_int_equal(td_ledger_run_begin(ledger, &theirs, NULL), 0);
    assert_int_equal(td_ledger_run_begin(ledger, &run, NULL), 0);
    struct td_incident rot = {.kind = TD_INCIDENT_REPAIRED, .cause = TD_CAUSE_BACKUP_ROT, .path = "of n"};
    assert_int_equal(td_ledger_incident(ledger, run.id, &rot, NULL), 0);
    assert_int_equal(td_ledger_run_end(ledger, &run, NULL), 0);
    assert_int_equal(td_ledger_begin(ledger, NULL), 0);
    assert_int_equal(td_ledger_export(ledger, n.id, NULL, copy, &err), -EINVAL);
    assert_int_equal(td_ledger_commit(ledger, NULL), 0);
    for (int i = 0; i < 2; i++) { /* twice: nothing is left attached */
        if (td_ledger_export(ledger, n.id, NULL, copy, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(td_ledger_export(ledger, n.id, NULL, copy, &err), -EEXIST);
        assert_false(exists(copy, "-wal") || exists(copy, "-shm") || exists(copy, "-journal"));
        struct td_ledger *there;
        if (td_ledger_open_reader(copy, &there, &err) < 0)
            fail_msg("%s", err.text);
        struct td_pair *pairs;
        size_t count;
        assert_int_equal(td_ledger_pairs(there, &pairs, &count, NULL), 0);
        assert_int_equal(count, 1);
        assert_string_equal(pairs[0].uuid, "uuid-n");
        assert_int_equal(pairs[0].members[1].letter, 'B');
        free(pairs);
        assert_true(has(there, n.id, "of n"));
        assert_false(has(there, m.id, "of m"));
        struct td_incident seen = {0};
        assert_int_equal(td_ledger_incidents(there, run.id, see_incident, &seen, NULL), 1);
        assert_string_equal(seen.path, "of n");
        free((void *)(uintptr_t)seen.path);
        td_ledger_close(there);
        assert_false(exists(copy, "-wal") || exists(copy, "-shm") || exists(copy, "-journal"));
        assert_int_equal(unlink(copy), 0);
    }
    assert_int_equal(td_ledger_export(ledger, 4711, NULL, copy, &err), -ENOENT);
    assert_false(exists(copy, "") || exists(copy, "-journal"));
    td_ledger_close(ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_created_private),
        cmocka_unit_test_teardown(test_schema_numbers, empty_scratch),
        cmocka_unit_test_teardown(test_newer_schema_is_refused, empty_scratch),
        cmocka_unit_test_teardown(test_other_programs_database, empty_scratch),
        cmocka_unit_test_teardown(test_reader, empty_scratch),
        cmocka_unit_test_teardown(test_damaged_files, empty_scratch),
        cmocka_unit_test(test_temporary),
        cmocka_unit_test_teardown(test_nested_transactions, empty_scratch),
        cmocka_unit_test_teardown(test_another_process_writes, empty_scratch),
        cmocka_unit_test_teardown(test_made_by_several_at_once, empty_scratch),
        cmocka_unit_test_teardown(test_pairs, empty_scratch),
        cmocka_unit_test_teardown(test_one_member_only, empty_scratch),
        cmocka_unit_test_teardown(test_generations, empty_scratch),
        cmocka_unit_test_teardown(test_file_comes_back_whole, empty_scratch),
        cmocka_unit_test_teardown(test_prove_hold_drop, empty_scratch),
        cmocka_unit_test_teardown(test_files_in_path_order, empty_scratch),
        cmocka_unit_test_teardown(test_export, empty_scratch),
    };
    return cmocka_run_group_tests_name("ledger", tests, make_scratch, remove_scratch);
}
