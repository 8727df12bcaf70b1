/* Judging rot by witnesses: the source, member A, member B and the ledger. Pure. */
#ifndef TWINDOCK_SYNC_JUDGE_H
#define TWINDOCK_SYNC_JUDGE_H

#include "twindock/model/entry.h"
#include "twindock/model/outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* What one side said when its copy was read from the medium. */
struct td_witness {
    bool asked;    /* it was read (or found missing) in this run */
    bool agrees;   /* not asked now: proven earlier in this cycle to equal the ledger */
    int error;     /* errno of reading it; 0 */
    bool changing; /* would not stand still (source only) */
    uint8_t hash[TD_HASH_LEN];
};

struct td_evidence {
    struct td_witness side[TD_SIDES];
    unsigned members; /* set of members docked and still alive */
    bool in_ledger;   /* the ledger has a hash */
    uint8_t ledger[TD_HASH_LEN];
    bool source_same_stat; /* size and mtime as in the ledger */
    bool source_same_ctime;
    bool was_held; /* an earlier run found source rot here; ends with the ledger's bytes, a new size or mtime, or
                      `accept` */
};

enum td_repair { TD_REPAIR_NONE, TD_REPAIR_FROM_SOURCE, TD_REPAIR_FROM_A, TD_REPAIR_FROM_B };

struct td_finding {
    bool proven[TD_SIDES];                  /* this side's copy is proven against what the ledger will hold */
    bool accept_source;                     /* the ledger takes the source's hash and metadata */
    bool hold;                              /* source rot: the file is flagged, or stays so */
    enum td_repair repair[TD_SIDES];        /* index TD_A, TD_B */
    bool quarantine[TD_SIDES];              /* the bytes replaced go to quarantine (else to history) */
    struct td_incident incidents[TD_SIDES]; /* path is NULL: the caller fills it in */
    int incident_count;
    enum td_exit exit; /* TD_EXIT_OK, TD_EXIT_UNREADABLE or TD_EXIT_ROT */
};

/* Members whose copy disagrees with the ledger must have been read a second time from the medium before this is asked.
 */
void td_judge_file(const struct td_evidence *evidence, struct td_finding *out);

#endif
