/*
 * The judge. What each witness says is first put into one word, then two tables decide: one for what the source's
 * word means for the file, one for what is done about each member. What follows is only their bookkeeping.
 *
 * What must hold, whatever the witnesses say:
 *   - bytes that agree with the ledger are replaced only by the source's, and only when the source was edited;
 *   - a repair comes from the source when it is believed, else from a member that agrees with the ledger, else from
 *     nowhere: what is bad is kept and told;
 *   - proven means: equal to what the ledger holds after this judgement.
 */
#include "twindock/sync/judge.h"

#include <errno.h>
#include <string.h>

/* The source's word. */
enum source_says {
    S_AGREES,     /* equal to the ledger */
    S_UNKNOWN,    /* readable; the ledger has nothing to compare with */
    S_EDITED,     /* not equal; size or mtime are new */
    S_REWRITTEN,  /* not equal; size and mtime as in the ledger, ctime moved */
    S_ROTTEN,     /* not equal, although nothing says that it was written to */
    S_CHANGING,   /* would not stand still */
    S_UNREADABLE, /* is there, cannot be read */
    S_GONE,       /* disappeared since the walk */
    S_SILENT,     /* was not asked */
    S_COUNT
};

/* A member's word. */
enum member_says {
    M_AGREES,     /* equal to the ledger */
    M_FOLLOWS,    /* equal to a source that is to be believed from now on, not to the ledger */
    M_DIFFERS,    /* equal to neither */
    M_UNREADABLE, /* cannot be read, or is missing */
    M_SILENT,     /* was not asked, or there is nothing to compare it with */
    M_COUNT
};

struct source_rule {
    bool reported;
    enum td_incident_kind kind;
    enum td_cause cause;
    enum td_exit exit;
    bool accept; /* the ledger takes the source's word */
    bool hold;
    bool proven; /* the source's own copy */
    bool mends;  /* members may be made good from it */
    bool bad;    /* no good copy of what the ledger knows */
};

static const struct source_rule source_rules[S_COUNT] = {
    [S_AGREES] = {.proven = true, .mends = true},
    [S_UNKNOWN] = {.accept = true, .proven = true, .mends = true},
    [S_EDITED] = {.accept = true, .proven = true, .mends = true},
    [S_REWRITTEN] = {.reported = true,
                     .kind = TD_INCIDENT_NOTED,
                     .cause = TD_CAUSE_EDITED_QUIETLY,
                     .accept = true,
                     .proven = true,
                     .mends = true},
    [S_ROTTEN] = {.reported = true,
                  .kind = TD_INCIDENT_HELD,
                  .cause = TD_CAUSE_SOURCE_ROT,
                  .exit = TD_EXIT_ROT,
                  .hold = true,
                  .bad = true},
    [S_CHANGING] = {.reported = true,
                    .kind = TD_INCIDENT_UNREADABLE,
                    .cause = TD_CAUSE_CHANGING,
                    .exit = TD_EXIT_UNREADABLE},
    [S_UNREADABLE] = {.reported = true,
                      .kind = TD_INCIDENT_UNREADABLE,
                      .cause = TD_CAUSE_READ_ERROR,
                      .exit = TD_EXIT_UNREADABLE,
                      .bad = true},
    [S_GONE] = {.bad = true}, /* an ordinary deletion: the next run sees it */
    [S_SILENT] = {0},
};

enum treatment {
    KEEP,   /* nothing is known against it; not proven now */
    PROVEN, /* as it should be */
    UPDATE, /* an older version: the source's goes over it, this one into history */
    DOUBT,  /* differs, and nobody can say who is right: as UPDATE, and told */
    ROT,    /* bad bytes: repaired if there is something to repair from, kept and told otherwise */
    FAULT   /* the same for what cannot be read */
};

/* Where the ledger's word no longer counts (S_UNKNOWN, S_EDITED, S_REWRITTEN), a docked member that is silent, because
 * it was proven to hold the older version or was not read, is M_AGREES or M_SILENT. */
// clang-format off
static const enum treatment member_rules[S_COUNT][M_COUNT] = {
    /*                  M_AGREES  M_FOLLOWS  M_DIFFERS  M_UNREADABLE  M_SILENT */
    [S_AGREES] =       {PROVEN,   PROVEN,    ROT,       FAULT,        KEEP},
    [S_UNKNOWN] =      {PROVEN,   PROVEN,    DOUBT,     FAULT,        KEEP},
    [S_EDITED] =       {UPDATE,   PROVEN,    DOUBT,     FAULT,        UPDATE},
    [S_REWRITTEN] =    {UPDATE,   PROVEN,    ROT,       FAULT,        UPDATE},
    [S_ROTTEN] =       {PROVEN,   ROT,       ROT,       FAULT,        KEEP},
    [S_CHANGING] =     {KEEP,     ROT,       ROT,       FAULT,        KEEP},
    [S_UNREADABLE] =   {PROVEN,   ROT,       ROT,       FAULT,        KEEP},
    [S_GONE] =         {PROVEN,   ROT,       ROT,       FAULT,        KEEP},
    [S_SILENT] =       {PROVEN,   ROT,       ROT,       FAULT,        KEEP},
};
// clang-format on

static bool equal(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, TD_HASH_LEN) == 0;
}

static enum source_says hear_source(const struct td_evidence *e) {
    const struct td_witness *source = &e->side[TD_SOURCE];
    if (!source->asked)
        return source->agrees && e->in_ledger ? S_AGREES : S_SILENT;
    if (source->changing)
        return S_CHANGING;
    if (source->error != 0)
        return source->error == ENOENT ? S_GONE : S_UNREADABLE;
    if (!e->in_ledger)
        return S_UNKNOWN;
    if (equal(source->hash, e->ledger))
        return S_AGREES;
    if (!e->source_same_stat)
        return S_EDITED;
    /* What was found rotten before does not become an edit by a chmod or a rename, which move ctime. */
    return e->source_same_ctime || e->was_held ? S_ROTTEN : S_REWRITTEN;
}

static enum member_says hear_member(const struct td_evidence *e, enum td_side side, enum source_says source) {
    const struct td_witness *member = &e->side[side];
    if (!member->asked)
        return member->agrees && e->in_ledger ? M_AGREES : M_SILENT;
    if (member->error != 0)
        return M_UNREADABLE;
    if (e->in_ledger && equal(member->hash, e->ledger))
        return M_AGREES;
    if (source_rules[source].accept)
        return equal(member->hash, e->side[TD_SOURCE].hash) ? M_FOLLOWS : M_DIFFERS;
    return e->in_ledger ? M_DIFFERS : M_SILENT;
}

struct hearing {
    const struct td_evidence *evidence;
    enum source_says source;
    enum member_says member[TD_SIDES];
    struct td_finding *finding;
};

static bool docked(const struct hearing *h, enum td_side side) {
    return (h->evidence->members & TD_SIDE_BIT(side)) != 0;
}

static void tell(struct td_finding *finding, enum td_incident_kind kind, enum td_cause cause, char member, int error) {
    struct td_incident *incident = &finding->incidents[finding->incident_count++];
    *incident = (struct td_incident){.kind = kind, .cause = cause, .member = member};
    if (error != 0)
        incident->detail = strerrordesc_np(error); /* constant texts, safe in threads */
}

static void worsen(struct td_finding *finding, enum td_exit code) {
    finding->exit = (enum td_exit)td_exit_worse((int)finding->exit, (int)code);
}

/* Where good bytes for this member are. */
static enum td_repair good_copy(const struct hearing *h, enum td_side side) {
    enum td_side other = side == TD_A ? TD_B : TD_A;
    if (source_rules[h->source].mends)
        return TD_REPAIR_FROM_SOURCE;
    if (!docked(h, other) || h->member[other] != M_AGREES)
        return TD_REPAIR_NONE;
    return other == TD_A ? TD_REPAIR_FROM_A : TD_REPAIR_FROM_B;
}

/* Bytes that are wrong or cannot be read. Where nothing better is at hand they stay where they are. */
static void mend(struct hearing *h, enum td_side side, enum td_cause cause) {
    struct td_finding *finding = h->finding;
    enum td_repair from = good_copy(h, side);
    enum td_incident_kind kind = TD_INCIDENT_REPAIRED;
    if (from == TD_REPAIR_NONE)
        kind = cause == TD_CAUSE_READ_ERROR ? TD_INCIDENT_UNREADABLE : TD_INCIDENT_HELD;
    finding->repair[side] = from;
    finding->quarantine[side] = from != TD_REPAIR_NONE;
    tell(finding, kind, cause, side == TD_A ? 'A' : 'B', h->evidence->side[side].error);
    worsen(finding, TD_EXIT_ROT);
}

static void treat(struct hearing *h, enum td_side side) {
    struct td_finding *finding = h->finding;
    switch (member_rules[h->source][h->member[side]]) {
    case KEEP:
        break;
    case PROVEN:
        finding->proven[side] = true;
        break;
    case UPDATE:
        finding->repair[side] = TD_REPAIR_FROM_SOURCE;
        break;
    case DOUBT:
        finding->repair[side] = TD_REPAIR_FROM_SOURCE;
        tell(finding, TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, side == TD_A ? 'A' : 'B', 0);
        break;
    case ROT:
        mend(h, side, TD_CAUSE_BACKUP_ROT);
        break;
    case FAULT:
        mend(h, side, TD_CAUSE_READ_ERROR);
        break;
    }
}

/* Rot that was found earlier ends only where the source was read and is to be believed. */
static bool stays_held(const struct hearing *h) {
    return h->evidence->was_held && !(source_rules[h->source].mends && h->evidence->side[TD_SOURCE].asked);
}

/* The ledger knows what the file was, all three copies were heard, and none of them is it. */
static bool is_lost(const struct hearing *h) {
    if (!h->evidence->in_ledger || !source_rules[h->source].bad)
        return false;
    for (enum td_side side = TD_A; side <= TD_B; side++)
        if (!docked(h, side) || h->member[side] == M_AGREES || h->member[side] == M_SILENT)
            return false;
    return true;
}

void td_judge_file(const struct td_evidence *evidence, struct td_finding *out) {
    struct hearing h = {.evidence = evidence, .source = hear_source(evidence), .finding = out};
    const struct source_rule *rule = &source_rules[h.source];
    *out = (struct td_finding){.exit = rule->exit, .accept_source = rule->accept, .hold = rule->hold};
    out->proven[TD_SOURCE] = rule->proven;
    out->hold |= stays_held(&h);
    for (enum td_side side = TD_A; side <= TD_B; side++)
        h.member[side] = hear_member(evidence, side, h.source);
    if (is_lost(&h)) {
        tell(out, TD_INCIDENT_HELD, TD_CAUSE_LOST, 0, 0);
        out->hold = true;
        out->exit = TD_EXIT_ROT;
        return;
    }
    if (rule->reported)
        tell(out, rule->kind, rule->cause, 0, evidence->side[TD_SOURCE].error);
    for (enum td_side side = TD_A; side <= TD_B; side++)
        if (docked(&h, side))
            treat(&h, side);
}
