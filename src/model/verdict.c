#include "twindock/model/verdict.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

const struct td_verdict_row td_verdict_table[TD_VERDICTS] = {
    [TD_EMPTY] = {"empty", "no disk is in the dock", false},
    [TD_DOCK_MERGED] = {"dock-merged", "the dock does not show the two disks one by one", true},
    [TD_DUPLICATE_IDENTITY] = {"duplicate-identity", "both slots report the same disk", true},
    [TD_FOREIGN_DISK] = {"foreign-disk", "a disk that is not enrolled is in the dock", true},
    [TD_UNKNOWN_MEMBER] = {"unknown-member",
                           "a disk with the pair's UUID could not be recognised as one of its members", true},
    [TD_MIXED_PAIRS] = {"mixed-pairs", "the disks belong to two different pairs", true},
    [TD_MISSING_MEMBER] = {"missing-member", "one disk of the pair is missing", true},
    [TD_SWAPPED] = {"swapped", "the disks are in each other's slots", true},
    [TD_WRONG_LAYOUT] = {"wrong-layout", "the pair must not be used in this mode of the dock", true},
    [TD_STALE_SOURCE] = {"stale-source", "the disk in the source slot missed earlier backups", true},
    [TD_AHEAD_OF_LEDGER] = {"ahead-of-ledger", "a disk was written by runs that the ledger does not know", true},
    [TD_UNPROVEN_PAIR] = {"unproven-pair", "the second disk of the pair has not been proven for too long", true},
    [TD_UNCLEAN] = {"unclean", "a disk's filesystem needs attention", true},
    [TD_SOURCE_MISSING] = {"source-missing", "the files to back up are not where they should be", true},
    [TD_BRAKE] = {"brake", "too much would be deleted or changed", true},
    [TD_OK] = {"ok", "the right disks are in the right slots", false},
};

const char *td_verdict_name(enum td_verdict verdict) {
    return (size_t)verdict < TD_VERDICTS ? td_verdict_table[verdict].name : "unknown";
}

bool td_verdict_from(const char *name, enum td_verdict *out) {
    for (size_t i = 0; name && i < TD_VERDICTS; i++) {
        if (strcmp(td_verdict_table[i].name, name) == 0) {
            *out = (enum td_verdict)i;
            return true;
        }
    }
    return false;
}

const struct td_exit_row td_exit_table[] = {
    {TD_EXIT_OK, "done"},
    {TD_EXIT_REFUSED, "refused, nothing written"},
    {TD_EXIT_UNREADABLE, "some files could not be read or copied"},
    {TD_EXIT_MEMBER_LOST, "a member was lost"},
    {TD_EXIT_ROT, "rot found (repaired or held)"},
    {TD_EXIT_INTERNAL, "internal error"},
    {TD_EXIT_BUSY, "another run holds the dock"},
    {TD_EXIT_USAGE, "usage"},
    {TD_EXIT_CONFIG, "configuration"},
    {TD_EXIT_SIGNAL, "128+N: ended by signal N, state kept"},
    {0, NULL},
};

/* How much a code tells: its place from the end. A code that is not here is a fault of ours: as telling as 6. */
static size_t telling(int code) {
    static const int order[] = {
        TD_EXIT_OK,          TD_EXIT_BUSY,     TD_EXIT_REFUSED, TD_EXIT_UNREADABLE, TD_EXIT_ROT,
        TD_EXIT_MEMBER_LOST, TD_EXIT_INTERNAL, TD_EXIT_USAGE,   TD_EXIT_CONFIG,
    };
    const size_t count = sizeof(order) / sizeof(order[0]);
    if (code >= TD_EXIT_SIGNAL)
        return count;
    for (size_t i = 0; i < count; i++) {
        if (order[i] == code)
            return i;
    }
    return telling(TD_EXIT_INTERNAL);
}

int td_exit_worse(int a, int b) {
    return telling(b) > telling(a) ? b : a;
}

int td_exit_of(int rc) {
    if (rc >= 0)
        return rc;
    return rc == -EBUSY || rc == -EALREADY ? TD_EXIT_BUSY : TD_EXIT_INTERNAL;
}
