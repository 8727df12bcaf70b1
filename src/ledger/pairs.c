#include "private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void read_member(struct td_sql_stmt *q, struct td_member members[2]) {
    char letter[2];
    struct td_member *out;

    td_text_copy(letter, sizeof(letter), td_sql_text(q, 0));
    out = &members[letter[0] == 'A' ? 0 : 1];
    out->letter = letter[0];
    out->id = td_sql_int(q, 1);
    td_text_copy(out->token, sizeof(out->token), td_sql_text(q, 2));
    out->identity.source = td_identity_source_from(td_sql_text(q, 3));
    td_text_copy(out->identity.serial, sizeof(out->identity.serial), td_sql_text(q, 4));
    td_text_copy(out->identity.wwn, sizeof(out->identity.wwn), td_sql_text(q, 5));
    td_text_copy(out->identity.model, sizeof(out->identity.model), td_sql_text(q, 6));
    out->size = td_sql_u64(q, 7);
    out->generation = td_sql_int(q, 8);
    out->last_proven = td_sql_int(q, 9);
    td_text_copy(out->state, sizeof(out->state), td_sql_text(q, 10));
}

static int read_members(struct td_ledger *ledger, struct td_pair *pair, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_ledger_take(ledger, "queries/pair_members.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair->id);
    while ((rc = td_sql_step(q, err)) > 0)
        read_member(q, pair->members);
    return rc;
}

static int read_pair(struct td_ledger *ledger, struct td_sql_stmt *q, struct td_pair *out, struct td_error *err) {
    memset(out, 0, sizeof(*out));
    out->id = td_sql_int(q, 0);
    td_text_copy(out->uuid, sizeof(out->uuid), td_sql_text(q, 1));
    td_text_copy(out->collection, sizeof(out->collection), td_sql_text(q, 2));
    if (!td_layout_from(td_sql_text(q, 3), &out->layout))
        return td_fail_text(err, EUCLEAN, "the ledger has a pair of unknown layout");
    out->generation = td_sql_int(q, 4);
    out->intent = td_sql_int(q, 5);
    out->cycle = td_sql_int(q, 6);
    out->differs = td_sql_int(q, 7);
    return read_members(ledger, out, err);
}

int td_ledger_pairs(struct td_ledger *ledger, struct td_pair **out, size_t *count, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t used = 0;
    int rc = td_ledger_take(ledger, "queries/pairs.sql", &q, err);

    *out = NULL;
    *count = 0;
    if (rc < 0)
        return rc;
    while ((rc = td_sql_step(q, err)) > 0) {
        struct td_pair *grown = reallocarray(pairs, used + 1, sizeof(*pairs));
        if (!grown)
            return td_fail(err, ENOMEM, "reading the ledger's pairs");
        pairs = grown;
        rc = read_pair(ledger, q, &pairs[used], err);
        if (rc < 0)
            return rc;
        used++;
    }
    if (rc < 0)
        return rc;
    *out = td_take_ptr(&pairs);
    *count = used;
    return 0;
}

static int insert_pair(struct td_ledger *ledger, struct td_pair *pair, int64_t now, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/add_pair.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_text(q, 1, pair->uuid);
    td_sql_bind_text(q, 2, pair->collection);
    td_sql_bind_text(q, 3, td_layout_name(pair->layout));
    td_sql_bind_int(q, 4, pair->generation);
    td_sql_bind_int(q, 5, pair->intent);
    td_sql_bind_int(q, 6, pair->cycle);
    td_sql_bind_int(q, 7, now);
    rc = td_sql_run(q, NULL, err);
    if (rc == -EEXIST)
        return td_fail_text(err, EEXIST, "collection %s or filesystem %s is enrolled already", pair->collection,
                            pair->uuid);
    pair->id = rc == 0 ? td_sql_last_id(ledger->sql) : 0;
    return rc;
}

static int insert_member(struct td_ledger *ledger, int64_t pair, struct td_member *member, int64_t now,
                         struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    const char letter[2] = {member->letter, '\0'};
    int rc = td_write_take(ledger, "queries/add_member.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_text(q, 2, letter);
    td_sql_bind_text(q, 3, member->token);
    td_sql_bind_text(q, 4, td_identity_source_name(member->identity.source));
    td_sql_bind_text(q, 5, member->identity.serial);
    td_sql_bind_text(q, 6, member->identity.wwn);
    td_sql_bind_text(q, 7, member->identity.model);
    td_sql_bind_u64(q, 8, member->size);
    td_sql_bind_int(q, 9, member->generation);
    td_sql_bind_int(q, 10, member->last_proven);
    td_sql_bind_text(q, 11, member->state);
    td_sql_bind_int(q, 12, now);
    rc = td_sql_run(q, NULL, err);
    member->id = rc == 0 ? td_sql_last_id(ledger->sql) : 0;
    return rc;
}

int td_ledger_add_pair(struct td_ledger *ledger, struct td_pair *pair, struct td_error *err) {
    int64_t now = td_wall_seconds();
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = insert_pair(ledger, pair, now, err);
    for (int i = 0; rc == 0 && i < 2; i++)
        if (pair->members[i].letter)
            rc = insert_member(ledger, pair->id, &pair->members[i], now, err);
    return td_write_end(ledger, rc, err);
}

/* UPDATE pair with up to two values. */
static int update_pair(struct td_ledger *ledger, const char *statement, int64_t pair, int64_t one, const int64_t *two,
                       struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, statement, &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, one);
    if (two)
        td_sql_bind_int(q, 3, *two);
    return td_run_found(q, "the pair", err);
}

int td_ledger_intend(struct td_ledger *ledger, int64_t pair, int64_t intent, struct td_error *err) {
    return update_pair(ledger, "queries/intend.sql", pair, intent, NULL, err);
}

int td_ledger_set_cycle(struct td_ledger *ledger, int64_t pair, int64_t cycle, struct td_error *err) {
    return update_pair(ledger, "queries/set_cycle.sql", pair, cycle, NULL, err);
}

int td_ledger_set_differs(struct td_ledger *ledger, int64_t pair, int64_t run, struct td_error *err) {
    return update_pair(ledger, "queries/set_differs.sql", pair, run, NULL, err);
}

int td_ledger_learn_drive(struct td_ledger *ledger, int64_t member, const struct td_identity *identity, uint64_t size,
                          struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/learn_drive.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, member);
    td_sql_bind_text(q, 2, td_identity_source_name(identity->source));
    td_sql_bind_text(q, 3, identity->serial);
    td_sql_bind_text(q, 4, identity->wwn);
    td_sql_bind_text(q, 5, identity->model);
    td_sql_bind_u64(q, 6, size);
    return td_run_found(q, "the member", err);
}

int td_ledger_space(struct td_ledger *ledger, int64_t pair, uint64_t used, uint64_t free, struct td_error *err) {
    int64_t room = (int64_t)free;
    return update_pair(ledger, "queries/space.sql", pair, (int64_t)used, &room, err);
}

static int confirm_member(struct td_ledger *ledger, int64_t pair, int64_t member, int64_t generation,
                          struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/confirm_member.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, pair);
    td_sql_bind_int(q, 2, member);
    td_sql_bind_int(q, 3, generation);
    return td_run_found(q, "the member", err);
}

int td_ledger_confirm(struct td_ledger *ledger, int64_t pair, int64_t member, int64_t generation,
                      struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = confirm_member(ledger, pair, member, generation, err);
    rc = rc < 0 ? rc : update_pair(ledger, "queries/confirm_pair.sql", pair, generation, NULL, err);
    return td_write_end(ledger, rc, err);
}

int td_ledger_member_state(struct td_ledger *ledger, int64_t member, const char *state, int64_t proven_at,
                           struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_write_take(ledger, "queries/member_state.sql", &q, err);

    if (rc < 0)
        return rc;
    td_sql_bind_int(q, 1, member);
    td_sql_bind_text(q, 2, state);
    td_sql_bind_int(q, 3, proven_at);
    return td_run_found(q, "the member", err);
}

/* Which members count for the pair's sums changes with it. */
static int retire(struct td_ledger *ledger, const char *statement, int64_t pair, int64_t one, const int64_t *two,
                  struct td_error *err) {
    int rc = td_summary_spoil(ledger, pair, err);
    return rc < 0 ? rc : update_pair(ledger, statement, pair, one, two, err);
}

int td_ledger_retire_pair(struct td_ledger *ledger, int64_t pair, struct td_error *err) {
    int64_t now = td_wall_seconds();
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = retire(ledger, "queries/retire_pair.sql", pair, now, NULL, err);
    if (rc == 0)
        rc = retire(ledger, "queries/retire_members.sql", pair, now, NULL, err);
    return td_write_end(ledger, rc, err);
}

int td_ledger_retire_member(struct td_ledger *ledger, int64_t pair, int64_t member, struct td_error *err) {
    int64_t now = td_wall_seconds();
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = retire(ledger, "queries/retire_member.sql", pair, member, &now, err);
    return td_write_end(ledger, rc, err);
}

/* What the disk had that had its letter before: the history, and what it ever got of the files. */
static int forget_disk(struct td_ledger *ledger, int64_t pair, enum td_side side, struct td_error *err) {
    static const char *const statements[] = {"history/forget_kept.sql", "history/forget_settled.sql",
                                             "history/forget_had.sql", "history/forget_repairs.sql",
                                             "history/begin_anew.sql"};
    int rc = td_ledger_forget_proofs(ledger, pair, side, err);

    for (size_t i = 0; rc == 0 && i < sizeof(statements) / sizeof(*statements); i++) {
        TD_AUTOSQL struct td_sql_stmt *q = NULL;
        rc = td_write_take(ledger, statements[i], &q, err);
        if (rc < 0)
            break;
        td_sql_bind_int(q, 1, pair);
        td_sql_bind_int(q, 2, side);
        rc = td_sql_run(q, NULL, err);
    }
    return rc;
}

int td_ledger_replace_member(struct td_ledger *ledger, int64_t pair, int64_t old, struct td_member *member,
                             struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);

    if (rc < 0)
        return rc;
    rc = old != 0 ? td_ledger_retire_member(ledger, pair, old, err) : 0;
    if (rc == 0)
        rc = insert_member(ledger, pair, member, td_wall_seconds(), err);
    if (rc == 0)
        rc = forget_disk(ledger, pair, member->letter == 'A' ? TD_A : TD_B, err);
    return td_write_end(ledger, rc, err);
}
