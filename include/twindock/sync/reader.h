/*
 * One reader for one disk: a thread that reads whole files in the order in which they are offered and reports their
 * hashes. It waits for no other disk.
 */
#ifndef TWINDOCK_SYNC_READER_H
#define TWINDOCK_SYNC_READER_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"
#include "twindock/sync/hash.h"

#include <stdint.h>

struct td_reader;

struct td_read_done {
    enum td_side side;
    int64_t id;       /* as offered */
    const char *path; /* valid during the call */
    struct td_hash_result result;
};

struct td_reader_options {
    enum td_side side;
    int root;     /* directory fd; stays the caller's and must outlive the reader */
    size_t queue; /* jobs that may wait; 0: 1024 */
    /* Called from the reader's thread: done once for every job (but for those that a cancel drops); progress about
     * every 8 MiB with the bytes read so far of the file being read. */
    void (*done)(void *ctx, const struct td_read_done *done);
    void (*progress)(void *ctx, enum td_side side, uint64_t bytes); /* may be NULL */
    void *ctx;
};

int td_reader_start(const struct td_reader_options *options, struct td_reader **out, struct td_error *err);
/* 1: taken (path is copied), 0: the queue is full. Never waits. */
int td_reader_offer(struct td_reader *reader, int64_t id, const char *path);
/* Jobs taken and not yet reported. */
size_t td_reader_pending(struct td_reader *reader);
/* Ends the thread: after the queue has been worked off, or (cancel) after the file being read, at its next piece.
 * Then neither that file nor what is queued is reported. Frees the reader. NULL is allowed. */
void td_reader_stop(struct td_reader *reader, bool cancel);

#endif
