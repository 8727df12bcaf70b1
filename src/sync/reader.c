/* A ring of jobs between the offering thread and the reading one. */
#include "twindock/sync/reader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_QUEUE 1024
#define PROGRESS_STEP (8U << 20) /* bytes */

struct job {
    int64_t id;
    char *path; /* owned */
};

struct td_reader {
    struct td_reader_options options;
    pthread_t thread;
    void *buffer;   /* the thread's */
    uint64_t shown; /* the thread's: bytes of this file at the last progress call */
    atomic_bool cancel;

    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t wake;
    bool ending;
    size_t first, waiting; /* of the ring */
    size_t pending;        /* waiting, or being read */
    size_t room;
    struct job ring[];
};

/* Between two pieces of a file. */
static int tick(void *ctx, uint64_t bytes) {
    struct td_reader *reader = ctx;
    if (atomic_load_explicit(&reader->cancel, memory_order_relaxed))
        return -ECANCELED;
    if (bytes < reader->shown)
        reader->shown = 0; /* begun anew */
    if (reader->options.progress && bytes - reader->shown >= PROGRESS_STEP) {
        reader->shown = bytes;
        reader->options.progress(reader->options.ctx, reader->options.side, bytes);
    }
    return 0;
}

static void read_one(struct td_reader *reader, const struct job *job) {
    struct td_hash_watch watch = {.tick = tick, .ctx = reader};
    struct td_read_done done = {.side = reader->options.side, .id = job->id, .path = job->path};
    reader->shown = 0;
    td_hash_file_watched(reader->options.root, job->path, reader->buffer, &watch, &done.result);
    if (done.result.error != ECANCELED)
        reader->options.done(reader->options.ctx, &done);
}

/* Wait for a job. False: the end. */
static bool take(struct td_reader *reader, struct job *out) {
    pthread_mutex_lock(&reader->lock);
    while (reader->waiting == 0 && !reader->ending)
        pthread_cond_wait(&reader->wake, &reader->lock);
    bool some = reader->waiting > 0 && !atomic_load(&reader->cancel);
    if (some) {
        *out = reader->ring[reader->first];
        reader->ring[reader->first].path = NULL;
        reader->first = (reader->first + 1) % reader->room;
        reader->waiting--;
    }
    pthread_mutex_unlock(&reader->lock);
    return some;
}

static void *work(void *arg) {
    struct td_reader *reader = arg;
    struct job job;
    while (take(reader, &job)) {
        read_one(reader, &job);
        free(job.path);
        pthread_mutex_lock(&reader->lock);
        reader->pending--;
        pthread_mutex_unlock(&reader->lock);
    }
    return NULL;
}

static void reader_free(struct td_reader *reader) {
    for (size_t i = 0; i < reader->room; i++)
        free(reader->ring[i].path);
    pthread_cond_destroy(&reader->wake);
    pthread_mutex_destroy(&reader->lock);
    free(reader->buffer);
    free(reader);
}

/* Signals are for the threads of the program's own making: this one only reads. */
static int start_thread(struct td_reader *reader) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&reader->thread, NULL, work, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int td_reader_start(const struct td_reader_options *options, struct td_reader **out, struct td_error *err) {
    size_t room = options->queue ? options->queue : DEFAULT_QUEUE;
    struct td_reader *reader = calloc(1, sizeof(*reader) + room * sizeof(reader->ring[0]));
    *out = NULL;
    if (!reader)
        return td_fail(err, ENOMEM, "cannot start a reader");
    reader->options = *options;
    reader->room = room;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->wake, NULL);
    reader->buffer = td_buffer_new(TD_READ_SIZE);
    int error = reader->buffer ? start_thread(reader) : ENOMEM;
    if (error != 0) {
        reader_free(reader);
        return td_fail(err, error, "cannot start a reader");
    }
    *out = reader;
    return 0;
}

int td_reader_offer(struct td_reader *reader, int64_t id, const char *path) {
    char *copy = strdup(path);
    if (!copy)
        return 0; /* room may come when what is waiting has been read */
    pthread_mutex_lock(&reader->lock);
    bool taken = reader->waiting < reader->room;
    if (taken) {
        reader->ring[(reader->first + reader->waiting) % reader->room] = (struct job){.id = id, .path = copy};
        reader->waiting++;
        reader->pending++;
        pthread_cond_signal(&reader->wake);
    }
    pthread_mutex_unlock(&reader->lock);
    if (!taken)
        free(copy);
    return taken;
}

size_t td_reader_pending(struct td_reader *reader) {
    pthread_mutex_lock(&reader->lock);
    size_t pending = reader->pending;
    pthread_mutex_unlock(&reader->lock);
    return pending;
}

void td_reader_stop(struct td_reader *reader, bool cancel) {
    if (!reader)
        return;
    pthread_mutex_lock(&reader->lock);
    reader->ending = true;
    if (cancel)
        atomic_store(&reader->cancel, true);
    pthread_cond_signal(&reader->wake);
    pthread_mutex_unlock(&reader->lock);
    pthread_join(reader->thread, NULL);
    reader_free(reader);
}
