#include "twindock/run/stop.h"

#include "twindock/base/clock.h"

#include <signal.h>
#include <stddef.h>

static struct td_stop *the_stop; /* a signal handler has nowhere else to look */

static void on_signal(int number) {
    atomic_store(&the_stop->signal, number);
    atomic_store(&the_stop->now, true);
}

void td_stop_on_signals(struct td_stop *stop) {
    the_stop = stop;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

bool td_stop_asked(const struct td_stop *stop) {
    return atomic_load(&stop->now);
}

bool td_stop_late(const struct td_stop *stop, int64_t need_s) {
    return stop->deadline_ns != 0 && td_boot_ns() + need_s * 1000000000 > stop->deadline_ns;
}
