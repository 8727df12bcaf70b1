/*
 * Preloaded: the process ends right after the Nth call that makes something durable or takes a name away. Counting is
 * over all threads.
 *
 *   KILL_AFTER=N    kill -9 after the Nth call; 0 or unset: count only
 *   KILL_STOP=1     stop instead (SIGSTOP), so that the disks can be looked at as they are at this instant
 *   KILL_COUNT=FILE at the end the number of calls is written there
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long calls;
static long last;
static int how = SIGKILL;
static const char *count_file;

__attribute__((constructor)) static void begin(void) {
    const char *after = getenv("KILL_AFTER");
    last = after != NULL ? strtol(after, NULL, 10) : 0;
    how = getenv("KILL_STOP") != NULL ? SIGSTOP : SIGKILL;
    count_file = getenv("KILL_COUNT");
    unsetenv("LD_PRELOAD"); /* not for the programs that it starts */
}

__attribute__((destructor)) static void end(void) {
    FILE *f = count_file != NULL ? fopen(count_file, "w") : NULL;
    if (f != NULL) {
        fprintf(f, "%ld\n", atomic_load(&calls));
        fclose(f);
    }
}

static void called(void) {
    if (atomic_fetch_add(&calls, 1) + 1 == last)
        kill(getpid(), how);
}

#define SHIM(name, declared, passed)                                                                                   \
    int name declared {                                                                                                \
        static int(*next) declared;                                                                                    \
        if (next == NULL)                                                                                              \
            next = (int(*) declared)dlsym(RTLD_NEXT, #name);                                                           \
        int rc = next passed;                                                                                          \
        called();                                                                                                      \
        return rc;                                                                                                     \
    }

SHIM(rename, (const char *from, const char *to), (from, to))
SHIM(renameat, (int fromdir, const char *from, int todir, const char *to), (fromdir, from, todir, to))
SHIM(renameat2, (int fromdir, const char *from, int todir, const char *to, unsigned flags),
     (fromdir, from, todir, to, flags))
SHIM(fsync, (int fd), (fd))
SHIM(fdatasync, (int fd), (fd))
SHIM(syncfs, (int fd), (fd))
SHIM(unlink, (const char *path), (path))
SHIM(unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
