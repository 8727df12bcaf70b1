/*
 * Two devices side by side: are they the same, byte for byte, in the ranges that count? Each is read by a thread of its
 * own, in large pieces and in ascending order, a few pieces ahead of the comparison, so both disks work at once and
 * the slower one alone decides how long it takes. Writes nothing.
 */
#ifndef TWINDOCK_SYNC_COMPARE_H
#define TWINDOCK_SYNC_COMPARE_H

#include "twindock/base/error.h"
#include "twindock/base/range.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TD_COMPARE_UNIT 512 /* bytes: differences are told in sectors */
#define TD_COMPARE_PIECE (1U << 20)

struct td_compare_options {
    int fd[2];     /* O_RDONLY, and O_DIRECT: what is compared must come from the medium. The caller's */
    uint64_t size; /* of the shorter device, bytes */
    /* The next range to compare: 1, 0 at the end, or a negative errno. In ascending order, aligned to
     * TD_COMPARE_UNIT. This and what follows is called from the calling thread. */
    int (*next)(void *ctx, struct td_range *out, struct td_error *err);
    void (*differs)(void *ctx, const struct td_range *where);
    void (*unreadable)(void *ctx, int disk, const struct td_range *where);
    void (*progress)(void *ctx, const uint64_t done[2]); /* bytes read of each; may be NULL */
    const atomic_bool *cancel;                           /* set to end with -ECANCELED; may be NULL */
    void *ctx;
};

struct td_compare_result {
    uint64_t compared;      /* bytes that were read on both */
    uint64_t different;     /* bytes of the sectors that differ */
    uint64_t unreadable[2]; /* bytes */
    int lost;               /* -1, or the disk that is gone; then -ENODEV is returned */
};

/* 0 when it came to its end, whatever it found; -ECANCELED; -ENODEV: a disk is gone; or what `next` said. */
int td_compare(const struct td_compare_options *options, struct td_compare_result *result, struct td_error *err);

#endif
