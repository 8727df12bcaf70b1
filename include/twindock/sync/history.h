/*
 * What was replaced or deleted, kept on the member: `.twindock/history/<run>/<path>`, whole, with its metadata.
 * A run's directory is named "<8 digits run id>-<UTC time>" and sorts by age.
 */
#ifndef TWINDOCK_SYNC_HISTORY_H
#define TWINDOCK_SYNC_HISTORY_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/model/version.h"

#include <stdint.h>
#include <sys/stat.h>

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

/* What lies in history/: the directories of the runs, and "recovered" (run 0) with what a killed run had swapped out.
 */
#define TD_HISTORY_RECOVERED "recovered"
int td_history_list(int store, int (*each)(void *ctx, const char *name, int64_t run), void *ctx, struct td_error *err);
/* Everything in one of them but directories, and the directories that hold attributes. `place` is below history/, `dir`
 * holds it under `name`. `each` may remove it. */
struct td_history_found {
    const char *place, *name;
    int dir;
    struct stat st;
};
int td_history_walk(int store, const char *run, int (*each)(void *ctx, const struct td_history_found *found), void *ctx,
                    struct td_error *err);

/* What a place says of itself. */
enum td_place_kind { TD_PLACE_WHOLE, TD_PLACE_DELTA, TD_PLACE_ATTRIBUTES };
struct td_place {
    enum td_place_kind kind;
    uint8_t hash[TD_HASH_LEN]; /* DELTA: of the old version; ATTRIBUTES: the digest */
    uint8_t base[TD_HASH_LEN]; /* DELTA */
};
void td_history_place(const char *place, struct td_place *out);
/* WHOLE: the path that it most likely had in the collection: without the run, and without the suffix that a second
 * version gets when `strip`. */
void td_history_path(const char *place, bool strip, struct td_buf *out);

/*
 * history/<run>.index says in text what lies in history/<run>/: a line each, fields separated by tabs:
 *   kind, SHA-256 of the version, its bytes, mode (octal), uid, gid, mtime (seconds.nanoseconds),
 *   SHA-256 of the base of a delta, where it lies below history/, path in the collection
 * "-" where there is nothing to say. A line with a newline, carriage return, tab or backslash in a name begins with a
 * backslash and has them as \n, \r, \t and \\, as sha256sum(1) does it. Lines that begin with "#" are for people.
 */
void td_history_index_line(struct td_buf *out, const struct td_version *version);
struct td_index;
int td_history_index_begin(int store, const char *run, struct td_index **out, struct td_error *err);
int td_history_index_add(struct td_index *index, const struct td_version *version, struct td_error *err);
int td_history_index_commit(struct td_index *index, struct td_error *err); /* frees it */
void td_history_index_cancel(struct td_index *index);

#endif
