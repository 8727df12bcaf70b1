#include "twindock/sync/compare.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING 16             /* pieces in flight: 16 MiB for each disk */
#define PARTS_MAX 64        /* ranges in one piece; what lies between them is read along */
#define GAP_MAX (64U << 10) /* if it is no more than this: skipping it would cost more */
#define ALIGNED 4096U       /* of reads, for O_DIRECT on any drive; and the unit in which what cannot be read is told */
#define CELLS (TD_COMPARE_PIECE / ALIGNED)
#define GONE_AFTER (64U << 20) /* bytes in a row that cannot be read: that is no bad sector */

struct piece {
    uint64_t start; /* aligned */
    size_t length;  /* aligned */
    struct td_range part[PARTS_MAX];
    int parts;
    uint8_t *data[2];
    bool any_bad[2];
    bool bad[2][CELLS];
};

struct comparison;

struct reader {
    struct comparison *comparison;
    int disk;
    pthread_t thread;
    bool started;
    uint64_t done, failed; /* pieces read; bytes in a row that could not be read */
    bool lost;
};

struct comparison {
    const struct td_compare_options *options;
    struct td_compare_result *result;
    struct piece ring[RING];
    struct reader reader[2];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t planned, compared; /* pieces */
    uint64_t bytes[2];
    bool stop;
    struct td_range ahead; /* a range, or the rest of one, that is not in a piece yet */
    bool ended;
};

/* --- reading ------------------------------------------------------------------------------------------- */

static bool asked_to_stop(const struct comparison *comparison) {
    return comparison->options->cancel != NULL && atomic_load(comparison->options->cancel);
}

static bool means_gone(ssize_t rc) {
    return rc == -ENODEV || rc == -ENXIO || rc == -ESHUTDOWN || rc == -ENOMEDIUM;
}

/* A piece is cut at the end of the device. */
static size_t wanted(const struct reader *reader, uint64_t at, size_t length) {
    uint64_t left = reader->comparison->options->size - at;
    return left < length ? (size_t)left : length;
}

/* What could not be read in one go, bit by bit: the bad parts are marked. True: the disk is gone. */
static bool read_bit_by_bit(struct reader *reader, struct piece *piece) {
    int disk = reader->disk, fd = reader->comparison->options->fd[disk];
    bool gone = false;
    for (size_t at = 0; at < piece->length && !gone && !asked_to_stop(reader->comparison); at += ALIGNED) {
        size_t want = wanted(reader, piece->start + at, ALIGNED);
        ssize_t got = td_pread_all(fd, piece->data[disk] + at, want, (off_t)(piece->start + at));
        bool bad = got != (ssize_t)want;
        piece->bad[disk][at / ALIGNED] = bad;
        piece->any_bad[disk] = piece->any_bad[disk] || bad;
        reader->failed = bad ? reader->failed + ALIGNED : 0;
        gone = means_gone(got) || got == 0 || reader->failed >= GONE_AFTER;
    }
    return gone;
}

/* True: the disk is gone. */
static bool read_piece(struct reader *reader, struct piece *piece) {
    int disk = reader->disk;
    piece->any_bad[disk] = false;
    size_t want = wanted(reader, piece->start, piece->length);
    ssize_t got = td_pread_all(reader->comparison->options->fd[disk], piece->data[disk], want, (off_t)piece->start);
    if (got == (ssize_t)want) {
        reader->failed = 0;
        return false;
    }
    memset(piece->bad[disk], 0, sizeof piece->bad[disk]);
    return means_gone(got) || read_bit_by_bit(reader, piece);
}

static void *read_all(void *arg) {
    struct reader *reader = arg;
    struct comparison *comparison = reader->comparison;
    pthread_mutex_lock(&comparison->lock);
    for (;;) {
        while (reader->done == comparison->planned && !comparison->stop)
            pthread_cond_wait(&comparison->moved, &comparison->lock);
        if (comparison->stop || reader->lost)
            break;
        struct piece *piece = &comparison->ring[reader->done % RING];
        pthread_mutex_unlock(&comparison->lock);
        bool gone = read_piece(reader, piece);
        pthread_mutex_lock(&comparison->lock);
        reader->lost = gone;
        reader->done++;
        comparison->bytes[reader->disk] += piece->length;
        pthread_cond_broadcast(&comparison->moved);
    }
    pthread_mutex_unlock(&comparison->lock);
    return NULL;
}

/* --- planning ------------------------------------------------------------------------------------------ */

static uint64_t down(uint64_t at) {
    return at / ALIGNED * ALIGNED;
}

static uint64_t up(uint64_t at) {
    return down(at + ALIGNED - 1);
}

/* The next piece from what next() tells. 1, 0: nothing is left, or its error. */
static int plan_piece(struct comparison *comparison, struct piece *piece, struct td_error *err) {
    const struct td_compare_options *options = comparison->options;
    struct td_range *ahead = &comparison->ahead;
    piece->parts = 0;
    for (;;) {
        if (ahead->length == 0 && !comparison->ended) {
            int rc = options->next(options->ctx, ahead, err);
            if (rc < 0)
                return rc;
            comparison->ended = rc == 0;
        }
        if (comparison->ended && ahead->length == 0)
            return piece->parts > 0;
        if (piece->parts == 0) {
            piece->start = down(ahead->start);
        } else if (piece->parts == PARTS_MAX || ahead->start > piece->start + piece->length + GAP_MAX ||
                   up(ahead->start + 1) > piece->start + TD_COMPARE_PIECE) {
            return 1;
        }
        uint64_t room = piece->start + TD_COMPARE_PIECE - ahead->start;
        uint64_t taken = ahead->length < room ? ahead->length : room;
        piece->part[piece->parts++] = (struct td_range){ahead->start, taken};
        piece->length = (size_t)(up(ahead->start + taken) - piece->start);
        ahead->start += taken;
        ahead->length -= taken;
        if (ahead->length > 0)
            return 1;
    }
}

/* --- comparing ----------------------------------------------------------------------------------------- */

static bool is_bad(const struct piece *piece, size_t at) {
    return (piece->any_bad[0] && piece->bad[0][at / ALIGNED]) || (piece->any_bad[1] && piece->bad[1][at / ALIGNED]);
}

/* Tell of a run of sectors, and begin a new one. */
static void tell_run(const struct comparison *comparison, const struct piece *piece, size_t from, size_t to) {
    struct td_range where = {piece->start + from, to - from};
    if (to <= from)
        return;
    comparison->result->different += where.length;
    comparison->options->differs(comparison->options->ctx, &where);
}

static void find_differences(const struct comparison *comparison, const struct piece *piece, size_t from, size_t to) {
    size_t run = from;
    for (size_t at = from; at < to; at += TD_COMPARE_UNIT) {
        size_t length = to - at < TD_COMPARE_UNIT ? to - at : TD_COMPARE_UNIT;
        if (is_bad(piece, at) || memcmp(piece->data[0] + at, piece->data[1] + at, length) == 0) {
            tell_run(comparison, piece, run, at);
            run = at + length;
        }
    }
    tell_run(comparison, piece, run, to);
}

static void tell_unreadable(const struct comparison *comparison, const struct piece *piece, int disk, size_t from,
                            size_t to) {
    for (size_t at = from; at < to; at = (size_t)down(at) + ALIGNED) {
        size_t end = (size_t)down(at) + ALIGNED < to ? (size_t)down(at) + ALIGNED : to;
        struct td_range where = {piece->start + at, end - at};
        if (!piece->bad[disk][at / ALIGNED])
            continue;
        comparison->result->unreadable[disk] += where.length;
        comparison->options->unreadable(comparison->options->ctx, disk, &where);
    }
}

static void compare_part(const struct comparison *comparison, const struct piece *piece, const struct td_range *part) {
    size_t from = (size_t)(part->start - piece->start), to = from + (size_t)part->length;
    for (int disk = 0; disk < 2; disk++)
        if (piece->any_bad[disk])
            tell_unreadable(comparison, piece, disk, from, to);
    for (size_t at = from; at < to; at = (size_t)down(at) + ALIGNED) {
        size_t end = (size_t)down(at) + ALIGNED < to ? (size_t)down(at) + ALIGNED : to;
        comparison->result->compared += is_bad(piece, at) ? 0 : end - at;
    }
    bool bad = piece->any_bad[0] || piece->any_bad[1];
    if (bad || memcmp(piece->data[0] + from, piece->data[1] + from, to - from) != 0)
        find_differences(comparison, piece, from, to);
}

static void wait_a_moment(struct comparison *comparison) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 200 * 1000000; /* for progress, and to notice a signal */
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&comparison->moved, &comparison->lock, &until);
}

static int disk_is_gone(struct comparison *comparison, struct td_error *err) {
    for (int disk = 0; disk < 2; disk++)
        if (comparison->reader[disk].lost) {
            comparison->result->lost = disk;
            return td_fail_text(err, ENODEV, "the disk does not answer any more");
        }
    return 0;
}

static void show(struct comparison *comparison) {
    uint64_t bytes[2] = {comparison->bytes[0], comparison->bytes[1]};
    if (comparison->options->progress == NULL)
        return;
    pthread_mutex_unlock(&comparison->lock);
    comparison->options->progress(comparison->options->ctx, bytes);
    pthread_mutex_lock(&comparison->lock);
}

/* The oldest piece has been read on both disks. The lock is held before and after. */
static void compare_piece(struct comparison *comparison) {
    const struct piece *piece = &comparison->ring[comparison->compared % RING];
    pthread_mutex_unlock(&comparison->lock);
    for (int i = 0; i < piece->parts; i++)
        compare_part(comparison, piece, &piece->part[i]);
    pthread_mutex_lock(&comparison->lock);
    comparison->compared++;
}

/* 1, 0: there is none left, or what next() said. */
static int add_piece(struct comparison *comparison, struct td_error *err) {
    struct piece *piece = &comparison->ring[comparison->planned % RING];
    pthread_mutex_unlock(&comparison->lock);
    int rc = plan_piece(comparison, piece, err);
    pthread_mutex_lock(&comparison->lock);
    if (rc > 0)
        comparison->planned++;
    pthread_cond_broadcast(&comparison->moved);
    return rc;
}

/* Keep the ring full, and compare what both have read. The lock is held before and after. */
static int work(struct comparison *comparison, struct td_error *err) {
    int left = 1, rc = 0;
    for (;;) {
        rc = disk_is_gone(comparison, err);
        if (rc == 0 && asked_to_stop(comparison))
            rc = td_fail(err, ECANCELED, "comparing the disks");
        if (rc != 0 || (left == 0 && comparison->compared == comparison->planned))
            return rc;
        if (comparison->compared < comparison->reader[0].done && comparison->compared < comparison->reader[1].done) {
            compare_piece(comparison);
            show(comparison);
        } else if (left > 0 && comparison->planned - comparison->compared < RING) {
            left = add_piece(comparison, err);
            if (left < 0)
                return left;
        } else {
            wait_a_moment(comparison);
            show(comparison);
        }
    }
}

/* --- beginning and ending ------------------------------------------------------------------------------ */

static int start(struct comparison *comparison, struct td_error *err) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&comparison->lock, NULL);
    pthread_cond_init(&comparison->moved, &attr);
    pthread_condattr_destroy(&attr);
    for (int i = 0; i < 2 * RING; i++) {
        uint8_t **data = &comparison->ring[i / 2].data[i % 2];
        *data = aligned_alloc(ALIGNED, TD_COMPARE_PIECE);
        if (*data == NULL)
            return td_fail(err, ENOMEM, "comparing the disks");
    }
    for (int disk = 0; disk < 2; disk++) {
        struct reader *reader = &comparison->reader[disk];
        *reader = (struct reader){.comparison = comparison, .disk = disk};
        int rc = pthread_create(&reader->thread, NULL, read_all, reader);
        if (rc != 0)
            return td_fail(err, rc, "starting a reader");
        reader->started = true;
    }
    return 0;
}

static void end(struct comparison *comparison) {
    pthread_mutex_lock(&comparison->lock);
    comparison->stop = true;
    pthread_cond_broadcast(&comparison->moved);
    pthread_mutex_unlock(&comparison->lock);
    for (int disk = 0; disk < 2; disk++)
        if (comparison->reader[disk].started)
            pthread_join(comparison->reader[disk].thread, NULL);
    for (int i = 0; i < 2 * RING; i++)
        free(comparison->ring[i / 2].data[i % 2]);
    pthread_cond_destroy(&comparison->moved);
    pthread_mutex_destroy(&comparison->lock);
    free(comparison);
}

int td_compare(const struct td_compare_options *options, struct td_compare_result *result, struct td_error *err) {
    struct comparison *comparison = calloc(1, sizeof *comparison);
    *result = (struct td_compare_result){.lost = -1};
    if (comparison == NULL)
        return td_fail(err, ENOMEM, "comparing the disks");
    comparison->options = options;
    comparison->result = result;
    int rc = start(comparison, err);
    if (rc == 0) {
        pthread_mutex_lock(&comparison->lock);
        rc = work(comparison, err);
        pthread_mutex_unlock(&comparison->lock);
    }
    end(comparison);
    return rc;
}
