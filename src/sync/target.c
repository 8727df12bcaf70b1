/* A target as its users know it, and the thread that works for it. */
#include "target_private.h"

#include "twindock/sync/disk.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TD_BATCH_FILES 1024
#define TD_BATCH_BYTES (256ULL << 20)
#define TD_QUEUE_BYTES (64U << 20)

static void *td_target_work(void *arg) {
    struct td_target *target = arg;
    struct td_packet *packet;
    while ((packet = td_queue_pop(target))) {
        td_batch_handle(target, packet);
        td_packet_free(packet);
    }
    td_batch_discard(target);
    return NULL;
}

static void td_target_free(struct td_target *target) {
    while (target->first) {
        struct td_packet *packet = target->first;
        target->first = packet->next;
        td_packet_free(packet);
    }
    td_failed_clear(target);
    for (int i = 0; i < 2; i++)
        if (target->keep[i] >= 0)
            close(target->keep[i]);
    if (target->staging >= 0)
        close(target->staging);
    pthread_cond_destroy(&target->wake);
    pthread_cond_destroy(&target->moved);
    pthread_mutex_destroy(&target->lock);
    free(target->buffer);
    td_disk_close(target->disk);
    free(target->files);
    free(target);
}

static struct td_target *td_target_new(const struct td_target_options *options) {
    struct td_target *target = calloc(1, sizeof(*target));
    if (!target)
        return NULL;
    target->options = *options;
    if (target->options.batch_files == 0)
        target->options.batch_files = TD_BATCH_FILES;
    if (target->options.batch_bytes == 0)
        target->options.batch_bytes = TD_BATCH_BYTES;
    if (target->options.queue_bytes == 0)
        target->options.queue_bytes = TD_QUEUE_BYTES;
    target->staging = target->keep[0] = target->keep[1] = -1;
    pthread_mutex_init(&target->lock, NULL);
    pthread_cond_init(&target->wake, NULL);
    pthread_cond_init(&target->moved, NULL);
    atomic_init(&target->cancel, false);
    target->buffer = td_buffer_new(TD_READ_SIZE);
    return target;
}

int td_target_start(const struct td_target_options *options, struct td_target **out, struct td_error *err) {
    struct td_target *target = td_target_new(options);
    if (!target)
        return td_fail(err, ENOMEM, "cannot begin to write");
    int rc = target->buffer ? 0 : -ENOMEM;
    if (rc == 0) {
        /* This descriptor is also the one given to syncfs: opened before the first write, it hears of every failure. */
        target->staging = td_staging_open(options->store);
        rc = target->staging < 0 ? target->staging : 0;
    }
    if (rc == 0 && td_disk_open(target->staging, &target->disk, NULL) == 0) {
        target->files = calloc(TD_DISK_BATCH, sizeof(*target->files));
        rc = target->files ? 0 : -ENOMEM;
    }
    if (rc == 0)
        rc = -pthread_create(&target->worker, NULL, td_target_work, target);
    if (rc < 0) {
        td_target_free(target);
        return td_fail(err, -rc, "cannot begin to write to the staging directory");
    }
    *out = target;
    return 0;
}

void td_target_submit(struct td_target *target, const struct td_op *op) {
    struct td_packet *packet = td_packet_new(TD_PACKET_OP);
    packet->task = td_task_new(op, target->options.source);
    td_queue_push(target, packet);
}

void td_target_flush(struct td_target *target) {
    struct td_packet *packet = td_packet_new(TD_PACKET_FLUSH);
    pthread_mutex_lock(&target->lock);
    uint64_t ticket = packet->ticket = ++target->asked;
    pthread_mutex_unlock(&target->lock);
    td_queue_push(target, packet);
    pthread_mutex_lock(&target->lock);
    while (target->flushed < ticket)
        pthread_cond_wait(&target->moved, &target->lock);
    pthread_mutex_unlock(&target->lock);
}

enum td_target_state td_target_state(struct td_target *target) {
    pthread_mutex_lock(&target->lock);
    enum td_target_state state = target->state;
    pthread_mutex_unlock(&target->lock);
    return state;
}

const char *td_target_reason(struct td_target *target) {
    return td_target_state(target) == TD_TARGET_OK ? "" : target->reason;
}

uint64_t td_target_bytes(struct td_target *target) {
    pthread_mutex_lock(&target->lock);
    uint64_t bytes = target->bytes;
    pthread_mutex_unlock(&target->lock);
    return bytes;
}

void td_target_given_up(struct td_target *target, uint64_t *files, uint64_t *bytes) {
    pthread_mutex_lock(&target->lock);
    *files = target->given_up.files;
    *bytes = target->given_up.bytes;
    pthread_mutex_unlock(&target->lock);
}

void td_target_stop(struct td_target *target, bool cancel) {
    if (!target)
        return;
    if (cancel)
        atomic_store(&target->cancel, true);
    else
        td_target_flush(target);
    pthread_mutex_lock(&target->lock);
    target->ending = true;
    pthread_cond_broadcast(&target->wake);
    pthread_mutex_unlock(&target->lock);
    pthread_join(target->worker, NULL);
    td_target_free(target);
}
