/*
 * The judgement on a dock: a pure function of what was seen, what is enrolled and what is allowed. The rows stand in
 * the order of the specification; the first that applies is the verdict.
 */
#ifndef TWINDOCK_DOCK_VERDICT_H
#define TWINDOCK_DOCK_VERDICT_H

#include "twindock/base/buf.h"
#include "twindock/dock/observe.h"
#include "twindock/model/verdict.h"

#include <stdbool.h>
#include <stddef.h>

struct td_policy {
    bool slots_any, single_allow, accept_ahead;
    int prove_every;
};

/* How a slot's disk was recognised. */
enum td_match {
    TD_MATCH_NONE,  /* slot empty, or the disk belongs to no enrolled pair */
    TD_MATCH_PAIR,  /* the UUID of an enrolled pair, but neither member */
    TD_MATCH_MEMBER /* pair->members[member] */
};

struct td_match_result {
    enum td_match match;
    const struct td_pair *pair; /* into the caller's array */
    int member;                 /* 0: A, 1: B; when match is TD_MATCH_MEMBER */
    const char *rests_on;       /* "drive" or "card" or "drive+card": what the recognition rests on; "" if none */
};

struct td_judgement {
    enum td_verdict verdict;    /* never TD_BRAKE; TD_SOURCE_MISSING only from td_judge_source */
    const struct td_pair *pair; /* the pair concerned, NULL when it cannot be said */
    struct td_match_result slots[TD_SLOTS];
    int slot_of[2];     /* which slot holds member A, B; -1: absent */
    int slot;           /* the slot that the sentence is about, -1: both or none */
    const char *detail; /* static text or text inside the observation that explains; may be NULL */
};

/*
 * Recognise one disk. With a serial or WWN that the ledger has from the same kind of source, drive and card must both
 * name the same member; a card with the right token decides alone when the drive says nothing or only a bridge speaks
 * (sysfs, udev); a card of another pair, a wrong token or no card is a stranger (TD_MATCH_PAIR).
 */
struct td_match_result td_match_slot(const struct td_slot *slot, const struct td_pair *pairs, size_t pair_count);

struct td_judgement td_judge_dock(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                                  const struct td_policy *policy);

/* One sentence for a tired person: which disk (serial, member, collection), which slot, what to do. Appends; for TD_OK
 * too. */
void td_advise(const struct td_observation *seen, const struct td_judgement *judgement, struct td_buf *out);
/* The disk in a slot in words: "member B of M (serial WD-WCC4N0)", "an ntfs disk labelled \"Backup\" (1.8T, serial X)".
 */
void td_describe_slot(const struct td_observation *seen, const struct td_judgement *judgement, int slot,
                      struct td_buf *out);

#endif
