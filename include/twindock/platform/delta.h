/*
 * Differences between two versions of a file, through librsync (librsync.github.io): what is written is what
 * `rdiff signature new | rdiff delta - old` writes, and `rdiff patch new delta old` undoes it.
 *
 * Streaming: but for chains memory holds the signature alone, at most some 60 MB. Descriptors are read from their
 * beginning by position. Reasons to fail are a negative errno, -EUCLEAN for a delta that is damaged.
 */
#ifndef TWINDOCK_PLATFORM_DELTA_H
#define TWINDOCK_PLATFORM_DELTA_H

#include "twindock/base/error.h"
#include "twindock/platform/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct td_delta_sums {
    uint8_t version[TD_SHA256_LEN]; /* SHA-256 of the older version */
    uint64_t size;                  /* its bytes */
    uint8_t delta[TD_SHA256_LEN];   /* of the delta itself */
    uint64_t delta_size;
};

/* Asked after every piece; a negative errno ends the work with it. NULL: nobody asks. */
struct td_delta_watch {
    int (*tick)(void *ctx);
    void *ctx;
};

/* The length of blocks for a file of so many bytes: what librsync advises, but not more than a page, for programs
 * change files by pages, until the signature would have more than two million blocks. */
uint32_t td_delta_block(uint64_t size);

/* Write into `out` (empty) what makes the `old` version from `base`. 1: it would be more than `most` bytes, and `out`
 * holds a part of it; 0 and *sums; or a negative errno. */
int td_delta_make(int base, int old, int out, uint64_t most, const struct td_delta_watch *watch,
                  struct td_delta_sums *sums, struct td_error *err);

/* Make the older version from `base` and `delta`: into `out` (empty; zeros become holes), or only hashed where out is
 * -1. */
int td_delta_patch(int base, int delta, int out, const struct td_delta_watch *watch, struct td_delta_sums *sums,
                   struct td_error *err);

/*
 * A version at the end of a chain of deltas costs one pass over it and not one for each: nothing that lies between is
 * made. What is wanted of a content is a list of spans; each delta writes those that it holds itself to where they go,
 * and turns the others into spans of its base; what is left at the end comes from the base of the last one.
 *
 * Memory holds the spans wanted of a version and of its base and the delta's own copies, 24 bytes each and at most
 * TD_DELTA_SPANS of a kind: some 80 MB. Who needs more goes by steps, with td_delta_patch() for a single one.
 */
#define TD_DELTA_SPANS (1U << 20)
struct td_delta_span {
    uint64_t to, len, from; /* bytes of the output, and where they are in the content */
};
struct td_delta_spans {
    struct td_delta_span *at; /* in the order of `from` */
    size_t count, room;
    size_t most; /* 0: TD_DELTA_SPANS */
};
void td_delta_spans_free(struct td_delta_spans *spans);
/* All of a content of unknown size. -ENOMEM. */
int td_delta_spans_all(struct td_delta_spans *spans);
/* `wanted` of the version that `delta` makes, which has `size` bytes: becomes what is wanted of its base. Of *sums,
 * `version` is not set. -E2BIG: it takes too many spans, or too long with so many; `wanted` is as it was, and `out`
 * holds a part. */
int td_delta_resolve(int delta, uint64_t size, int out, struct td_delta_spans *wanted,
                     const struct td_delta_watch *watch, struct td_delta_sums *sums, struct td_error *err);
/* The rest, from a whole content; zeros are left out, so `out` was empty before. */
int td_delta_complete(int base, int out, const struct td_delta_spans *wanted, const struct td_delta_watch *watch,
                      struct td_error *err);

#endif
