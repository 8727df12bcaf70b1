/*
 * Differences between two versions of a file, through librsync (librsync.github.io): what is written is what
 * `rdiff signature new | rdiff delta - old` writes, and `rdiff patch new delta old` undoes it.
 *
 * Streaming: memory holds the signature alone, at most some 60 MB. Descriptors are read from their beginning by
 * position. Reasons to fail are a negative errno, -EUCLEAN for a delta that is damaged.
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

#endif
