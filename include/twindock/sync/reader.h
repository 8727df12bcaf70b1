/*
 * One reader for one disk: a thread that reads whole files in the order in which they are offered and reports their
 * hashes. It waits for no other disk.
 */
#ifndef TWINDOCK_SYNC_READER_H
#define TWINDOCK_SYNC_READER_H

#include "twindock/base/error.h"
#include "twindock/model/entry.h"
#include "twindock/sync/hash.h"

#include <stdbool.h>
#include <stdint.h>

struct td_reader;

struct td_read_job {
    int64_t id;   /* the caller's */
    bool located; /* it lies at `place`, `size` bytes in one piece: see sync/disk.h */
    uint64_t place;
    bool plainly; /* never from the device: the file itself is to be asked */
    const char *path;
    bool expected; /* what follows is set: what it is if all is well */
    uint8_t hash[TD_HASH_LEN];
    bool dated; /* the size and times count, too */
    uint64_t size;
    struct timespec mtime, ctime;
};

struct td_read_done {
    enum td_side side;
    int64_t id;       /* as offered */
    const char *path; /* valid during the call */
    bool as_expected;
    struct td_hash_result result;
};

struct td_reader_options {
    enum td_side side;
    int root;         /* directory fd; stays the caller's and must outlive the reader */
    size_t queue;     /* jobs that may wait; 0: 1024 */
    bool from_device; /* where possible small files are read from the device, many at a time: see sync/disk.h */
    unsigned threads; /* that read at a time, each a file of its own; 0: one, which keeps the order */
    /* Called from the reader's thread: done once for every job (but for those that a cancel drops); progress about
     * every 8 MiB with the bytes read so far of the file being read. */
    void (*done)(void *ctx, const struct td_read_done *done);
    void (*progress)(void *ctx, enum td_side side, uint64_t bytes); /* may be NULL */
    void *ctx;
};

int td_reader_start(const struct td_reader_options *options, struct td_reader **out, struct td_error *err);
/* 1: taken (all of it is copied), 0: the queue is full. Never waits. */
int td_reader_offer(struct td_reader *reader, const struct td_read_job *job);
/* Jobs taken and not yet reported. */
size_t td_reader_pending(struct td_reader *reader);
/* Ends the thread: after the queue has been worked off, or (cancel) after the file being read, at its next piece.
 * Then neither that file nor what is queued is reported. Frees the reader. NULL is allowed. */
void td_reader_stop(struct td_reader *reader, bool cancel);

#endif
