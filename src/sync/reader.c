/* A ring of jobs between the offering thread and those that read. */
#include "twindock/sync/reader.h"

#include "twindock/platform/digest.h"
#include "twindock/sync/disk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_QUEUE 1024
#define PROGRESS_STEP (8U << 20) /* bytes */
#define MOST_THREADS 8U
#define SHARE 16U /* jobs that one of several readers takes at a time: there must be some for the others */

struct job {
    struct td_read_job what;
    char *path; /* owned */
};

/* One thread. */
struct worker {
    struct td_reader *reader;
    pthread_t thread;
    void *buffer;
    struct td_digest *digest;
    struct td_disk *disk; /* NULL: files are read one by one */
    uint64_t shown;       /* bytes of this file at the last progress call */
    struct job batch[TD_DISK_BATCH];
    struct td_disk_file files[TD_DISK_BATCH]; /* with a disk */
};

struct td_reader {
    struct td_reader_options options;
    struct worker *worker;
    unsigned workers; /* that have been started */
    atomic_bool cancel;

    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t wake;
    bool ending;
    size_t first, waiting; /* of the ring */
    size_t pending;        /* waiting, or being read */
    size_t room;
    struct job ring[];
};

/* Between two pieces of a file. With several readers nobody could tell whose progress is meant: they tell none. */
static int tick(void *ctx, uint64_t bytes) {
    struct worker *worker = ctx;
    struct td_reader *reader = worker->reader;
    if (atomic_load_explicit(&reader->cancel, memory_order_relaxed))
        return -ECANCELED;
    if (bytes < worker->shown)
        worker->shown = 0; /* begun anew */
    if (reader->options.progress && reader->options.threads <= 1 && bytes - worker->shown >= PROGRESS_STEP) {
        worker->shown = bytes;
        reader->options.progress(reader->options.ctx, reader->options.side, bytes);
    }
    return 0;
}

static bool as_expected(const struct td_read_job *job, const struct td_hash_result *result) {
    const struct stat *st = &result->stat;
    if (!job->expected || result->error != 0 || result->changing || memcmp(result->hash, job->hash, TD_HASH_LEN) != 0)
        return false;
    return !job->dated || ((uint64_t)st->st_size == job->size && td_same_time(&st->st_mtim, &job->mtime) &&
                           td_same_time(&st->st_ctim, &job->ctime));
}

static void report(struct td_reader *reader, const struct job *job, const struct td_hash_result *result) {
    struct td_read_done done = {.side = reader->options.side, .id = job->what.id, .path = job->path, .result = *result};
    done.as_expected = as_expected(&job->what, result);
    if (result->error != ECANCELED)
        reader->options.done(reader->options.ctx, &done);
}

static void read_one(struct worker *worker, const struct job *job) {
    struct td_hash_watch watch = {.tick = tick, .ctx = worker, .digest = worker->digest};
    struct td_hash_result result;
    worker->shown = 0;
    td_hash_file_watched(worker->reader->options.root, job->path, worker->buffer, &watch, &result);
    report(worker->reader, job, &result);
}

/* From the device where that will do. */
static void read_alone(struct worker *worker, struct td_disk_file *file) {
    struct td_hash_watch watch = {.tick = tick, .ctx = worker, .digest = worker->digest};
    worker->shown = 0;
    td_disk_read_alone(worker->disk, file, &watch);
}

/* Read together what can be, in the order of the batch; what could not, and what came out different from what was
 * expected, is read by itself. */
static void read_batch(struct worker *worker, size_t count) {
    struct td_reader *reader = worker->reader;
    size_t ready = 0; /* up to here the disk has done what it could */
    bool together = worker->disk && !worker->batch[0].what.plainly;
    for (size_t i = 0; together && i < count; i++) {
        const struct td_read_job *job = &worker->batch[i].what;
        worker->files[i] = (struct td_disk_file){
            .path = job->expected ? worker->batch[i].path : NULL,
            .located = job->expected && job->located,
            .place = job->place,
            .size = job->size,
        };
    }
    if (together)
        td_disk_locate(worker->disk, worker->files, count);
    for (size_t i = 0; i < count && !atomic_load_explicit(&reader->cancel, memory_order_relaxed); i++) {
        const struct job *job = &worker->batch[i];
        if (together && i == ready)
            ready += td_disk_read(worker->disk, &worker->files[i], count - i);
        if (together && worker->files[i].alone)
            read_alone(worker, &worker->files[i]);
        if (together && worker->files[i].read && as_expected(&job->what, &worker->files[i].result))
            report(reader, job, &worker->files[i].result);
        else
            read_one(worker, job);
    }
}

/* Wait for jobs; with a disk as many as there are, up to one that is to be read plainly. 0: the end. */
static size_t take(struct worker *worker) {
    struct td_reader *reader = worker->reader;
    size_t most = !worker->disk ? 1 : reader->options.threads > 1 ? SHARE : TD_DISK_BATCH, taken = 0;
    pthread_mutex_lock(&reader->lock);
    while (reader->waiting == 0 && !reader->ending)
        pthread_cond_wait(&reader->wake, &reader->lock);
    while (taken < most && reader->waiting > 0 && !atomic_load(&reader->cancel)) {
        struct job *next = &reader->ring[reader->first];
        if (taken > 0 && (next->what.plainly || worker->batch[0].what.plainly))
            break;
        worker->batch[taken++] = *next;
        next->path = NULL;
        reader->first = (reader->first + 1) % reader->room;
        reader->waiting--;
    }
    pthread_mutex_unlock(&reader->lock);
    return taken;
}

static void *work(void *arg) {
    struct worker *worker = arg;
    struct td_reader *reader = worker->reader;
    size_t count;
    while ((count = take(worker)) > 0) {
        read_batch(worker, count);
        for (size_t i = 0; i < count; i++)
            free(worker->batch[i].path);
        pthread_mutex_lock(&reader->lock);
        reader->pending -= count;
        pthread_mutex_unlock(&reader->lock);
    }
    return NULL;
}

static void end_threads(struct td_reader *reader) {
    pthread_mutex_lock(&reader->lock);
    reader->ending = true;
    pthread_cond_broadcast(&reader->wake);
    pthread_mutex_unlock(&reader->lock);
    for (unsigned i = 0; i < reader->workers; i++)
        pthread_join(reader->worker[i].thread, NULL);
}

static void reader_free(struct td_reader *reader) {
    for (size_t i = 0; i < reader->room; i++)
        free(reader->ring[i].path);
    for (unsigned i = 0; reader->worker && i < reader->options.threads; i++) {
        free(reader->worker[i].buffer);
        td_digest_free(reader->worker[i].digest);
        td_disk_close(reader->worker[i].disk);
    }
    pthread_cond_destroy(&reader->wake);
    pthread_mutex_destroy(&reader->lock);
    free(reader->worker);
    free(reader);
}

/* Signals are for the threads of the program's own making: this one only reads. */
static int start_thread(struct worker *worker) {
    sigset_t all, before;
    worker->buffer = td_buffer_new(TD_READ_SIZE);
    worker->digest = td_digest_new(NULL);
    if (!worker->buffer || !worker->digest)
        return ENOMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Without a device to read from, files are read one by one: that is slower, and no less right. */
static int start_workers(struct td_reader *reader) {
    struct td_reader_options *options = &reader->options;
    if (options->threads == 0)
        options->threads = 1;
    if (options->threads > MOST_THREADS)
        options->threads = MOST_THREADS;
    reader->worker = calloc(options->threads, sizeof(*reader->worker));
    int error = reader->worker ? 0 : ENOMEM;
    for (unsigned i = 0; error == 0 && i < options->threads; i++) {
        reader->worker[i].reader = reader;
        if (options->from_device)
            (void)td_disk_open(options->root, &reader->worker[i].disk, NULL);
        error = start_thread(&reader->worker[i]);
        reader->workers += error == 0;
    }
    return reader->workers > 0 ? 0 : error;
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
    int error = start_workers(reader);
    if (error != 0) {
        reader_free(reader);
        return td_fail(err, error, "cannot start a reader");
    }
    *out = reader;
    return 0;
}

int td_reader_offer(struct td_reader *reader, const struct td_read_job *job) {
    char *copy = strdup(job->path);
    if (!copy)
        return 0; /* room may come when what is waiting has been read */
    pthread_mutex_lock(&reader->lock);
    bool taken = reader->waiting < reader->room;
    if (taken) {
        reader->ring[(reader->first + reader->waiting) % reader->room] = (struct job){.what = *job, .path = copy};
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
    if (cancel)
        atomic_store(&reader->cancel, true);
    end_threads(reader);
    reader_free(reader);
}
