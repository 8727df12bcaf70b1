/* When to stop early: a signal, or the time of day by which the run must have ended. */
#ifndef TWINDOCK_RUN_STOP_H
#define TWINDOCK_RUN_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct td_stop {
    atomic_bool now;     /* set: end at the next safe point */
    atomic_int signal;   /* the signal that asked for it, 0: none */
    int64_t deadline_ns; /* CLOCK_BOOTTIME, 0: none */
};

/* SIGINT, SIGTERM and SIGHUP set `stop`; SIGPIPE is ignored. One stop for the process's life. */
void td_stop_on_signals(struct td_stop *stop);
/* Asked to end by a signal? */
bool td_stop_asked(const struct td_stop *stop);
/* Is there less time than `need_s` seconds before the deadline? */
bool td_stop_late(const struct td_stop *stop, int64_t need_s);

#endif
