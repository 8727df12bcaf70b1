/*
 * Reading ahead of whoever works on the bytes: a thread reads the pieces of one file in order, some pieces in advance,
 * so that the disk does not stand idle while a piece is hashed.
 */
#ifndef TWINDOCK_SYNC_AHEAD_H
#define TWINDOCK_SYNC_AHEAD_H

#include "twindock/sync/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_AHEAD_FROM (4U << 20) /* bytes: for smaller files a thread is not worth its while */

struct td_ahead;

/* `medium` is this thread's until the stop. NULL: no memory or no thread; read it yourself. */
struct td_ahead *td_ahead_start(struct td_medium *medium);
/* As td_medium_next(); *data is valid until the next call. */
int td_ahead_next(struct td_ahead *ahead, const void **data, uint64_t *len, bool *hole);
/* Ends the reading, wherever it is, and gives the medium back. NULL is allowed. */
void td_ahead_stop(struct td_ahead *ahead);

#endif
