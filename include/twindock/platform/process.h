/* Run another program, without a shell: mkfs, fsck, sendmail. */
#ifndef TWINDOCK_PLATFORM_PROCESS_H
#define TWINDOCK_PLATFORM_PROCESS_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"

#include <stddef.h>
#include <sys/types.h>

struct td_process {
    const char *const *argv; /* argv[0] is an absolute path, or a name looked up in /usr/sbin:/usr/bin:/sbin:/bin */
    const void *input;       /* bytes for its standard input, may be NULL (then /dev/null) */
    size_t input_len;
    struct td_buf *output; /* standard output and error together, first 64 KiB, may be NULL */
    int timeout_s;         /* then SIGTERM, two seconds later SIGKILL, to its process group; 0: none */
};

/* Returns the exit status 0..255, 128+N when signal N ended it, -ETIMEDOUT when it was killed for time,
 * another negative errno when it could not be started. The environment passed on is PATH and LC_ALL=C only. */
int td_process_run(const struct td_process *process, struct td_error *err);

/* A program that lives beside us: its standard input is a pipe that says nothing and ends with td_process_stop(), or
 * when we end, however that comes about. What it prints is dropped. */
struct td_companion {
    pid_t pid; /* 0: none */
    int pipe;
};

/* 0 or a negative errno; then there is none. */
int td_process_start(const char *const *argv, struct td_companion *out, struct td_error *err);
/* End it (its input, then SIGTERM), if there is one, and wait for its end. */
void td_process_stop(struct td_companion *companion);

#endif
