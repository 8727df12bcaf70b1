#include "twindock/sync/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define PIECES 3U /* one is worked on, one is ready, one is being read */

struct piece {
    void *data;
    uint64_t len;
    bool hole;
    int rc; /* as td_medium_next() said */
};

struct td_ahead {
    struct td_medium *medium;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    bool ending;
    unsigned read, taken; /* pieces so far; those from `taken` to `read` are ready, the one before is worked on */
    struct piece piece[PIECES];
};

/* A place for the next piece. NULL: the end is wanted. */
static struct piece *wait_for_room(struct td_ahead *ahead) {
    pthread_mutex_lock(&ahead->lock);
    /* The piece before `taken` is still being worked on. */
    while (!ahead->ending && ahead->read - ahead->taken >= PIECES - 1)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    struct piece *piece = ahead->ending ? NULL : &ahead->piece[ahead->read % PIECES];
    pthread_mutex_unlock(&ahead->lock);
    return piece;
}

static void *read_on(void *arg) {
    struct td_ahead *ahead = arg;
    struct piece *piece;
    int rc = 1;
    while (rc > 0 && (piece = wait_for_room(ahead))) {
        uint64_t offset;
        rc = piece->rc = td_medium_next(ahead->medium, piece->data, &offset, &piece->len, &piece->hole);
        pthread_mutex_lock(&ahead->lock);
        ahead->read++;
        pthread_cond_signal(&ahead->changed);
        pthread_mutex_unlock(&ahead->lock);
    }
    return NULL;
}

static void ahead_free(struct td_ahead *ahead) {
    for (unsigned i = 0; i < PIECES; i++)
        free(ahead->piece[i].data);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

static bool start_thread(struct td_ahead *ahead) {
    sigset_t all, before;
    for (unsigned i = 0; i < PIECES; i++)
        if (!(ahead->piece[i].data = td_buffer_new(TD_READ_SIZE)))
            return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&ahead->thread, NULL, read_on, ahead);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

struct td_ahead *td_ahead_start(struct td_medium *medium) {
    struct td_ahead *ahead = calloc(1, sizeof(*ahead));
    if (!ahead)
        return NULL;
    ahead->medium = medium;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (start_thread(ahead))
        return ahead;
    ahead_free(ahead);
    return NULL;
}

int td_ahead_next(struct td_ahead *ahead, const void **data, uint64_t *len, bool *hole) {
    pthread_mutex_lock(&ahead->lock);
    while (ahead->read == ahead->taken)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    const struct piece *piece = &ahead->piece[ahead->taken++ % PIECES];
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    *data = piece->data;
    *len = piece->len;
    *hole = piece->hole;
    return piece->rc;
}

void td_ahead_stop(struct td_ahead *ahead) {
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->ending = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    ahead_free(ahead);
}
