/*
 * A process told apart from all others that had or will have its number: process id, start time (field 22 of
 * /proc/PID/stat, proc(5)) and the machine's boot id (random(4)).
 */
#ifndef TWINDOCK_PLATFORM_SELF_H
#define TWINDOCK_PLATFORM_SELF_H

#include <stdbool.h>
#include <stdint.h>

struct td_self {
    int64_t pid;
    uint64_t start; /* clock ticks since boot; 0: unknown */
    char boot[40];  /* "" : unknown */
};

/* This process. */
void td_self_get(struct td_self *out);
/* Does it still run? A zombie does not. What cannot be told (no /proc) counts as running: nobody's work is declared
 * dead on a guess. */
bool td_self_alive(const struct td_self *self);

#endif
