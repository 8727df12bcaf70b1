/* Cleanup bound to a scope. Ownership leaves a scope only by td_take_fd() or td_take_ptr(). */
#ifndef TWINDOCK_BASE_CLEANUP_H
#define TWINDOCK_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void td_cleanup_fd(const int *fd) {
    if (*fd >= 0)
        close(*fd);
}

static inline void td_cleanup_ptr(void *ptr) {
    free(*(void **)ptr);
}

/* Hand the descriptor on: returns it and leaves -1 behind. */
static inline int td_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

static inline void *td_take_ptr_(void *ptr) {
    void *taken = *(void **)ptr;
    *(void **)ptr = NULL;
    return taken;
}

/* Hand a malloc'ed pointer on: returns it and leaves NULL behind. */
#define td_take_ptr(ptr) ((__typeof__(*(ptr)))td_take_ptr_(ptr))

#define TD_AUTOCLOSE __attribute__((cleanup(td_cleanup_fd)))
#define TD_AUTOFREE __attribute__((cleanup(td_cleanup_ptr)))

#endif
