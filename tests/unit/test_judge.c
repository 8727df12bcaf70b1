/* sync/judge.h: the witnesses' table row by row, and what must hold for every combination of witnesses. */
#include "twindock/sync/judge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOTH (TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B))

/* What is on a side: the ledger's bytes, two other contents, or a reason to have none. */
enum content {
    L = 'L',
    X = 'X',
    Y = 'Y',
    BAD_SECTOR = 'e',
    MISSING = 'm',
    MOVING = 'c',
    NOT_ASKED = '-',
    TRUSTED = 'l'
};

static struct td_witness witness(char content) {
    struct td_witness w = {.asked = true};
    memset(w.hash, content, sizeof(w.hash));
    switch (content) {
    case BAD_SECTOR:
        w.error = EIO;
        break;
    case MISSING:
        w.error = ENOENT;
        break;
    case MOVING:
        w.changing = true;
        break;
    case NOT_ASKED:
        w.asked = false;
        break;
    case TRUSTED:
        w.asked = false;
        w.agrees = true;
        break;
    default:
        break;
    }
    return w;
}

/* `says`: source, A, B. The stat is as in the ledger. */
static struct td_evidence evidence_of(const char *says, bool in_ledger) {
    struct td_evidence e = {
        .members = BOTH, .in_ledger = in_ledger, .source_same_stat = true, .source_same_ctime = true};
    for (int side = 0; side < TD_SIDES; side++)
        e.side[side] = witness(says[side]);
    if (in_ledger)
        memset(e.ledger, L, sizeof(e.ledger));
    return e;
}

/* A finding as a line: what is proven, repaired (from where; q: quarantine), accepted, held, told, and the exit. */
static void describe(const struct td_finding *f, char *out, size_t size) {
    static const char *const from[] = {"", "s", "a", "b"};
    int n = snprintf(out, size, "%s%s%s", f->proven[TD_SOURCE] ? "S" : "", f->proven[TD_A] ? "A" : "",
                     f->proven[TD_B] ? "B" : "");
    for (int side = TD_A; side <= TD_B; side++)
        if (f->repair[side])
            n += snprintf(out + n, size - (size_t)n, " %c<%s%s", side == TD_A ? 'A' : 'B', from[f->repair[side]],
                          f->quarantine[side] ? "q" : "");
    n += snprintf(out + n, size - (size_t)n, "%s%s", f->accept_source ? " accept" : "", f->hold ? " hold" : "");
    for (int i = 0; i < f->incident_count; i++) {
        const struct td_incident *incident = &f->incidents[i];
        char member[2] = {incident->member, '\0'};
        n += snprintf(out + n, size - (size_t)n, " %s:%s%s%s", td_incident_names[incident->kind],
                      td_cause_names[incident->cause], member[0] ? "/" : "", member);
    }
    snprintf(out + n, size - (size_t)n, " %d", (int)f->exit);
}

static void expect(const struct td_evidence *e, const char *wanted) {
    struct td_finding finding;
    char line[512];
    td_judge_file(e, &finding);
    describe(&finding, line, sizeof(line));
    assert_string_equal(line, wanted);
}

#define expect_known(says, wanted)                                                                                     \
    do {                                                                                                               \
        struct td_evidence known = evidence_of(says, true);                                                            \
        expect(&known, wanted);                                                                                        \
    } while (0)

#define expect_unknown(says, wanted)                                                                                   \
    do {                                                                                                               \
        struct td_evidence unknown = evidence_of(says, false);                                                         \
        expect(&unknown, wanted);                                                                                      \
    } while (0)

static void all_agree(void **state) {
    (void)state;
    expect_known("LLL", "SAB 0");
    expect_known("Lll", "SAB 0");
    expect_known("lLl", "SAB 0");
    expect_known("LL-", "SA 0");
}

static void backup_rot(void **state) {
    (void)state;
    expect_known("LXL", "SB A<sq repaired:backup-rot/A 5");
    expect_known("LLY", "SA B<sq repaired:backup-rot/B 5");
    expect_known("LXY", "S A<sq B<sq repaired:backup-rot/A repaired:backup-rot/B 5");
    expect_known("LXX", "S A<sq B<sq repaired:backup-rot/A repaired:backup-rot/B 5");
    expect_known("lXl", "SB A<sq repaired:backup-rot/A 5");
}

static void unreadable_copy(void **state) {
    (void)state;
    expect_known("LeL", "SB A<sq repaired:read-error/A 5");
    expect_known("LLm", "SA B<sq repaired:read-error/B 5");
    expect_known("Lee", "S A<sq B<sq repaired:read-error/A repaired:read-error/B 5");
    expect_unknown("Xee", "S A<sq B<sq accept repaired:read-error/A repaired:read-error/B 5");
    struct td_evidence e = evidence_of("LeL", true);
    struct td_finding finding;
    td_judge_file(&e, &finding);
    assert_string_equal(finding.incidents[0].detail, "Input/output error");
}

static void source_rot(void **state) {
    (void)state;
    expect_known("XLL", "AB hold held:source-rot 5");
    expect_known("Xll", "AB hold held:source-rot 5");
    expect_known("XLY", "A B<aq hold held:source-rot repaired:backup-rot/B 5");
    expect_known("XYL", "B A<bq hold held:source-rot repaired:backup-rot/A 5");
    expect_known("XLX", "A B<aq hold held:source-rot repaired:backup-rot/B 5"); /* somebody mirrored the rot */
    expect_known("XeL", "B A<bq hold held:source-rot repaired:read-error/A 5");
    expect_known("XYl", "B A<bq hold held:source-rot repaired:backup-rot/A 5");
}

static void nothing_good_is_left(void **state) {
    (void)state;
    expect_known("XXX", " hold held:no-good-copy 5");
    expect_known("XYe", " hold held:no-good-copy 5");
    expect_known("eXY", " hold held:no-good-copy 5");
    expect_known("eee", " hold held:no-good-copy 5");
    expect_known("mXm", " hold held:no-good-copy 5");
    expect_known("XX-", " hold held:source-rot held:backup-rot/A 5"); /* B was not heard */
    struct td_evidence e = evidence_of("XXX", true);
    e.members = TD_SIDE_BIT(TD_A); /* B is not docked: it may be the good one */
    expect(&e, " hold held:source-rot held:backup-rot/A 5");
}

static void edited_with_its_mtime_kept(void **state) {
    (void)state;
    static const struct {
        const char *says, *wanted;
    } rows[] = {
        {"XLL", "S A<s B<s accept noted:edited-mtime-kept 0"},
        {"Xll", "S A<s B<s accept noted:edited-mtime-kept 0"},
        {"X--", "S A<s B<s accept noted:edited-mtime-kept 0"},
        {"XXL", "SA B<s accept noted:edited-mtime-kept 0"}, /* an earlier run got that far */
        {"XYL", "S A<sq B<s accept noted:edited-mtime-kept repaired:backup-rot/A 5"},
        {"XeL", "S A<sq B<s accept noted:edited-mtime-kept repaired:read-error/A 5"},
        {"LLX", "SA B<sq repaired:backup-rot/B 5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct td_evidence e = evidence_of(rows[i].says, true);
        e.source_same_ctime = false;
        expect(&e, rows[i].wanted);
    }
}

static void edited(void **state) {
    (void)state;
    static const struct {
        const char *says, *wanted;
    } rows[] = {
        {"XLL", "S A<s B<s accept 0"},
        {"Xll", "S A<s B<s accept 0"},
        {"XXX", "SAB accept 0"}, /* copied by a run that was cut off before it could say so */
        {"XXL", "SA B<s accept 0"},
        {"XXY", "SA B<s accept noted:unprovable/B 0"},
        {"LLL", "SAB 0"}, /* touched */
        {"LXL", "SB A<sq repaired:backup-rot/A 5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct td_evidence e = evidence_of(rows[i].says, true);
        e.source_same_stat = e.source_same_ctime = false;
        expect(&e, rows[i].wanted);
    }
}

static void unreadable_source(void **state) {
    (void)state;
    expect_known("eLL", "AB unreadable:read-error 3");
    expect_known("ell", "AB unreadable:read-error 3");
    expect_known("eXL", "B A<bq unreadable:read-error repaired:backup-rot/A 5");
    expect_known("eLe", "A B<aq unreadable:read-error repaired:read-error/B 5");
    expect_known("eX-", " unreadable:read-error held:backup-rot/A 5");
    expect_unknown("eXX", " unreadable:read-error 3");
    expect_unknown("eXe", " unreadable:read-error unreadable:read-error/B 5");
}

static void source_that_will_not_stand_still(void **state) {
    (void)state;
    expect_known("cLL", " unreadable:changing 3");
    expect_known("cXL", " A<bq unreadable:changing repaired:backup-rot/A 5");
    expect_known("cXY", " unreadable:changing held:backup-rot/A held:backup-rot/B 5");
    expect_unknown("cXY", " unreadable:changing 3");
}

static void source_gone_or_not_asked(void **state) {
    (void)state;
    expect_known("mLL", "AB 0");
    expect_known("mXL", "B A<bq repaired:backup-rot/A 5");
    expect_unknown("mXY", " 0");
    expect_known("-LL", "AB 0");
    expect_known("-XL", "B A<bq repaired:backup-rot/A 5");
    expect_known("-XY", " held:backup-rot/A held:backup-rot/B 5");
    expect_known("-eL", "B A<bq repaired:read-error/A 5");
    expect_known("-ee", " unreadable:read-error/A unreadable:read-error/B 5");
    expect_unknown("-XY", " 0");
}

static void no_entry_in_the_ledger(void **state) {
    (void)state;
    expect_unknown("XXX", "SAB accept 0");
    expect_unknown("XXY", "SA B<s accept noted:unprovable/B 0");
    expect_unknown("XYY", "S A<s B<s accept noted:unprovable/A noted:unprovable/B 0");
    expect_unknown("XX-", "SA accept 0");
}

static void rot_that_is_being_held(void **state) {
    (void)state;
    struct td_evidence e = evidence_of("XLL", true);
    e.was_held = true;
    expect(&e, "AB hold held:source-rot 5");
    e.source_same_ctime = false; /* chmod, rename: the bytes are as bad as before */
    expect(&e, "AB hold held:source-rot 5");
    e.source_same_stat = false; /* written anew */
    expect(&e, "S A<s B<s accept 0");
    e = evidence_of("LLL", true); /* healed */
    e.was_held = true;
    expect(&e, "SAB 0");
    static const char *const says[] = {"eLL", "cLL", "mLL", "-LL", "lLL"};
    for (size_t i = 0; i < 5; i++) { /* not heard this time: stays held */
        struct td_finding finding;
        e = evidence_of(says[i], true);
        e.was_held = true;
        td_judge_file(&e, &finding);
        assert_true(finding.hold);
    }
}

static void members_not_docked_are_left_alone(void **state) {
    (void)state;
    struct td_evidence e = evidence_of("LXX", true);
    e.members = TD_SIDE_BIT(TD_B);
    expect(&e, "S B<sq repaired:backup-rot/B 5");
    e = evidence_of("XLX", true); /* nor are they asked for help */
    e.members = TD_SIDE_BIT(TD_B);
    expect(&e, " hold held:source-rot held:backup-rot/B 5");
    e.members = 0;
    expect(&e, " hold held:source-rot 5");
}

/* --- whatever the witnesses say --------------------------------------------------------------------------------- */

/* What is really there: a trusted copy has the ledger's bytes. */
static char bytes_of(char says) {
    return says == TRUSTED ? L : says;
}

static bool is_bytes(char says) {
    return says == L || says == X || says == Y;
}

static void check_member(const struct td_evidence *e, const struct td_finding *f, const char *says, int side,
                         char ledger_after) {
    char here = bytes_of(says[side]), other = bytes_of(says[side == TD_A ? TD_B : TD_A]);
    unsigned other_bit = TD_SIDE_BIT(side == TD_A ? TD_B : TD_A);
    bool docked = (e->members & TD_SIDE_BIT(side)) != 0;
    bool replaced = f->repair[side] != TD_REPAIR_NONE;
    if (!docked) {
        assert_false(f->proven[side] || replaced);
        return;
    }
    if (f->proven[side]) {
        assert_true(is_bytes(here) && here == ledger_after);
        assert_false(replaced);
    }
    if (f->quarantine[side])
        assert_true(replaced);
    switch (f->repair[side]) { /* what is put there is readable, and what the ledger will hold */
    case TD_REPAIR_NONE:
        break;
    case TD_REPAIR_FROM_SOURCE:
        assert_int_equal(bytes_of(says[TD_SOURCE]), ledger_after);
        break;
    case TD_REPAIR_FROM_A:
    case TD_REPAIR_FROM_B:
        assert_int_equal(f->repair[side] == TD_REPAIR_FROM_A, side == TD_B);
        assert_true((e->members & other_bit) && e->in_ledger);
        assert_int_equal(other, ledger_after);
        break;
    }
    /* A good copy is replaced by an edit alone, never by rot, and the edit must show in the source's times. */
    if (replaced && e->in_ledger && here == L) {
        assert_true(f->accept_source);
        assert_false(e->source_same_stat && (e->source_same_ctime || e->was_held));
        assert_false(f->quarantine[side]);
    }
    /* A copy that is known to be bad is replaced or told; in the end the exit shows it. */
    bool bad =
        says[side] == BAD_SECTOR || says[side] == MISSING || (e->in_ledger && is_bytes(here) && here != ledger_after);
    if (bad && !replaced)
        assert_int_equal(f->exit, TD_EXIT_ROT);
    if (says[side] == BAD_SECTOR)
        assert_int_equal(f->exit, TD_EXIT_ROT);
    /* When the ledger changes its mind no docked copy of the old version is left behind unseen. */
    if (f->accept_source && e->in_ledger)
        assert_true(f->proven[side] || replaced);
}

static void check_incidents(const struct td_finding *f) {
    int told[TD_SIDES] = {0};
    bool only_notes = true;
    assert_in_range(f->incident_count, 0, TD_SIDES);
    for (int i = 0; i < f->incident_count; i++) {
        const struct td_incident *incident = &f->incidents[i];
        int side = incident->member == 0 ? TD_SOURCE : incident->member == 'A' ? TD_A : TD_B;
        assert_null(incident->path);
        assert_int_equal(told[side]++, 0);
        only_notes &= incident->kind == TD_INCIDENT_NOTED;
        if (incident->kind == TD_INCIDENT_REPAIRED)
            assert_true(side != TD_SOURCE && f->repair[side] != TD_REPAIR_NONE && f->quarantine[side]);
    }
    assert_int_equal(f->exit == TD_EXIT_OK, only_notes);
}

static void check(const struct td_evidence *e, const char *says) {
    struct td_finding f;
    td_judge_file(e, &f);
    char source = bytes_of(says[TD_SOURCE]);
    char ledger_after = f.accept_source ? source : e->in_ledger ? L : '\0';
    bool known_rot = e->in_ledger && e->source_same_stat && (e->source_same_ctime || e->was_held) && source != L;
    if (f.accept_source)
        assert_true(is_bytes(source) && !known_rot && !f.hold);
    if (f.proven[TD_SOURCE])
        assert_true(is_bytes(source) && source == ledger_after);
    if (known_rot && is_bytes(source))
        assert_true(f.hold && f.exit == TD_EXIT_ROT);
    if (says[TD_SOURCE] == MOVING)
        assert_false(f.proven[TD_SOURCE] || f.proven[TD_A] || f.proven[TD_B] || f.accept_source);
    if (says[TD_SOURCE] == MOVING || says[TD_SOURCE] == BAD_SECTOR)
        assert_int_not_equal(f.exit, TD_EXIT_OK);
    for (int side = TD_A; side <= TD_B; side++)
        check_member(e, &f, says, side, ledger_after);
    check_incidents(&f);
}

static void every_combination(void **state) {
    (void)state;
    static const char source_says[] = "LXYemc-l", member_says[] = "LXYem-l";
    int count = 0;
    for (const char *s = source_says; *s; s++)
        for (const char *a = member_says; *a; a++)
            for (const char *b = member_says; *b; b++)
                for (unsigned flags = 0; flags < 64; flags++) {
                    char says[4] = {*s, *a, *b, '\0'};
                    struct td_evidence e = evidence_of(says, flags & 1);
                    if (!e.in_ledger && strchr(says, TRUSTED)) /* nothing to have agreed with */
                        continue;
                    e.source_same_stat = flags & 2;
                    e.source_same_ctime = flags & 4;
                    e.was_held = (flags & 8) && e.in_ledger;
                    e.members = (flags & 16 ? TD_SIDE_BIT(TD_A) : 0) | (flags & 32 ? TD_SIDE_BIT(TD_B) : 0);
                    check(&e, says);
                    count++;
                }
    assert_true(count > 15000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agree),
        cmocka_unit_test(backup_rot),
        cmocka_unit_test(unreadable_copy),
        cmocka_unit_test(source_rot),
        cmocka_unit_test(nothing_good_is_left),
        cmocka_unit_test(edited_with_its_mtime_kept),
        cmocka_unit_test(edited),
        cmocka_unit_test(unreadable_source),
        cmocka_unit_test(source_that_will_not_stand_still),
        cmocka_unit_test(source_gone_or_not_asked),
        cmocka_unit_test(no_entry_in_the_ledger),
        cmocka_unit_test(rot_that_is_being_held),
        cmocka_unit_test(members_not_docked_are_left_alone),
        cmocka_unit_test(every_combination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
