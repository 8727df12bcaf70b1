/*
 * What was replaced or deleted, kept on the member: `.twindock/history/<run>/<path>`, whole, with its metadata.
 * A run's directory is named "<8 digits run id>-<UTC time>" and sorts by age.
 */
#ifndef TWINDOCK_SYNC_HISTORY_H
#define TWINDOCK_SYNC_HISTORY_H

#include "twindock/base/error.h"

#include <stdint.h>

#define TD_HISTORY_NAME_MAX 32
void td_history_name(char out[TD_HISTORY_NAME_MAX], int64_t run, int64_t started);

struct td_expired {
    uint64_t runs, files, bytes;
};
/* Give up the runs with numbers up to `last`, and what killed runs left before `oldest` (wall seconds; 0: never).
 * `except`: name never touched, may be NULL. The times in the names are for people and decide nothing. */
int td_history_expire(int store, int64_t last, int64_t oldest, const char *except, struct td_expired *out,
                      struct td_error *err);
/* Give up the oldest run. -ENOENT: there is none but `except`. */
int td_history_drop_oldest(int store, const char *except, struct td_expired *out, struct td_error *err);

#endif
