/* Loaded before the program under test: runs the command $EXCHANGE between the plan of a run and what comes after it.
 * The disks are mounted read-only to be looked at, and once more to be planned for, each time with a note that they are
 * write-protected: as the fourth of these is taken away, the plan has been made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTES 4

int unlink(const char *path) {
    static int taken;
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    const char *exchange = getenv("EXCHANGE");
    int rc = real(path);
    if (exchange == NULL || strstr(path, "/run/twindock/protected-") == NULL || ++taken != NOTES)
        return rc;
    unsetenv("LD_PRELOAD");
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", exchange, (char *)NULL);
        _exit(127);
    }
    return waitpid(child, NULL, 0) == child ? rc : -1;
}
