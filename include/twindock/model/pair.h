/* What is enrolled: pairs and their members, and what a member's card says of itself. */
#ifndef TWINDOCK_MODEL_PAIR_H
#define TWINDOCK_MODEL_PAIR_H

#include "twindock/model/identity.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_UUID_MAX 37
#define TD_NAME_MAX 64  /* collection and dock names */
#define TD_TOKEN_MAX 33 /* 32 hex digits of random */

enum td_layout { TD_LAYOUT_TWINS, TD_LAYOUT_MIRRORED };
const char *td_layout_name(enum td_layout layout); /* "twins", "mirrored" */
bool td_layout_from(const char *name, enum td_layout *out);

/* `.twindock/card.json` of a member. */
struct td_card {
    char pair[TD_UUID_MAX];
    char collection[TD_NAME_MAX];
    char member; /* 'A' or 'B' */
    char token[TD_TOKEN_MAX];
    enum td_layout layout;
    int64_t generation;
    int64_t last_run; /* ledger's run id */
    char host[TD_NAME_MAX];
};

/* A member as the ledger knows it. */
struct td_member {
    int64_t id;
    char letter; /* 'A' or 'B'; 0: no such member */
    char token[TD_TOKEN_MAX];
    struct td_identity identity;
    uint64_t size;       /* bytes of the device at enrolment */
    int64_t generation;  /* last one known to be on its card */
    int64_t last_proven; /* wall seconds: the oldest proof of a copy in its last full proof, 0: never */
    char state[16];      /* of the last run: "ok", "lost", "full", "absent", "" before the first */
};

/* A pair as the ledger knows it. members[0] is A, members[1] is B. */
struct td_pair {
    int64_t id;
    char uuid[TD_UUID_MAX];
    char collection[TD_NAME_MAX];
    enum td_layout layout;
    int64_t generation; /* confirmed on at least one member */
    int64_t intent;     /* the highest that may be on a member: noted before a card is raised */
    int64_t cycle;      /* run id that began the proof cycle still open, 0: none open */
    int64_t differs; /* mirrored: run id of the check that found the halves different, 0: none since they were equal */
    struct td_member members[2];
};

/* Has members[index] taken another's place and seen no run since? Its card is still as it was made. */
bool td_pair_member_is_new(const struct td_pair *pair, int index);

#endif
