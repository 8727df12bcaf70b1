#include "twindock/platform/self.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of /proc, at most size-1 bytes and a NUL. The length or a negative errno. */
static ssize_t read_proc(const char *name, char *out, size_t size) {
    TD_AUTOCLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = td_pread_all(fd, out, size - 1, 0);
    if (len >= 0)
        out[len] = '\0';
    return len;
}

static void read_boot(char out[40]) {
    if (read_proc("/proc/sys/kernel/random/boot_id", out, 40) < 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* State letter and start time of a process. 0 or a negative errno. */
static int read_stat(int64_t pid, char *state, uint64_t *start) {
    char name[64];
    char text[1024];

    snprintf(name, sizeof(name), "/proc/%" PRId64 "/stat", pid);
    ssize_t len = read_proc(name, text, sizeof(text));
    if (len < 0)
        return (int)len;
    /* The second field is the program's name in parentheses and may hold anything, so count from its end. */
    char *field = strrchr(text, ')');
    if (!field || field[1] != ' ')
        return -EPROTO;
    field += 2;
    *state = *field;
    for (int number = 3; number < 22; number++) {
        field = strchr(field, ' ');
        if (!field)
            return -EPROTO;
        field++;
    }
    *start = strtoull(field, NULL, 10);
    return 0;
}

void td_self_get(struct td_self *out) {
    char state;

    memset(out, 0, sizeof(*out));
    out->pid = getpid();
    if (read_stat(out->pid, &state, &out->start) < 0)
        out->start = 0;
    read_boot(out->boot);
}

bool td_self_alive(const struct td_self *self) {
    char boot[40];
    char state = '?';
    uint64_t start = 0;

    read_boot(boot);
    if (boot[0] && self->boot[0] && strcmp(boot, self->boot) != 0)
        return false;
    if (self->pid <= 0 || (kill((pid_t)self->pid, 0) < 0 && errno == ESRCH))
        return false;
    int rc = read_stat(self->pid, &state, &start);
    if (rc == -ENOENT || rc == -ESRCH)
        return access("/proc/self/stat", F_OK) < 0; /* without /proc nothing can be told */
    if (rc < 0)
        return true;
    if (state == 'Z' || state == 'X')
        return false;
    return self->start == 0 || self->start == start;
}
