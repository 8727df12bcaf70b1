/*
 * Other programs, run to their end. The child gets an empty signal mask, default dispositions, a process
 * group of its own (a Ctrl-C meant for us does not cut a repair short) and no descriptor but 0, 1, 2.
 */
#include "twindock/platform/process.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (64 * 1024)
#define GRACE_NS (2 * INT64_C(1000000000)) /* between SIGTERM and SIGKILL */

static const char *const search_path[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
#define SEARCH_PATH_COUNT (sizeof search_path / sizeof search_path[0])

/* Descriptors that the child gets, all above 2 so that dup2 onto 0..2 cannot clobber one of them. */
struct stdio {
    int in;      /* memory file with the input, or /dev/null */
    int out;     /* writing end of the pipe, or /dev/null */
    int capture; /* our reading end, non-blocking; -1: nobody listens */
};

/* A started child, watched. */
struct child {
    pid_t pid; /* also its process group */
    int pidfd;
    int capture; /* -1 after its end of file */
    struct td_buf *output;
    size_t room; /* bytes that output may still take */
};

static void stdio_close(const struct stdio *io) {
    td_cleanup_fd(&io->in);
    td_cleanup_fd(&io->out);
    td_cleanup_fd(&io->capture);
}

/* Move a descriptor above 2, where a caller that was started without stdio would have got a low one. */
static int raise_fd(int fd) {
    if (fd < 0 || fd > 2)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int saved = errno;
    close(fd);
    errno = saved;
    return high;
}

/* The input lies in a memory file, not in a pipe: a child that never reads cannot block us. */
static int open_input(const void *data, size_t len) {
    if (!data || len == 0)
        return raise_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int fd = raise_fd(memfd_create("input", MFD_CLOEXEC));
    if (fd < 0)
        return -1;
    int rc = td_write_all(fd, data, len);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    close(fd);
    errno = -rc;
    return -1;
}

static int open_stdio(const struct td_process *process, struct stdio *io) {
    io->in = open_input(process->input, process->input_len);
    if (io->in < 0)
        return -errno;
    if (!process->output) {
        io->out = raise_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
        return io->out < 0 ? -errno : 0;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    io->out = raise_fd(ends[1]);
    if (io->out < 0) {
        int saved = errno;
        close(ends[0]);
        return -saved;
    }
    io->capture = ends[0]; /* never inherited, so any number will do */
    return fcntl(io->capture, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* posix_spawn functions return positive errnos; the first that fails is what counts. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, const struct stdio *io) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawn_file_actions_adddup2(actions, io->in, STDIN_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, io->out, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, io->out, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(attr, 0);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return rc;
}

/* Try the absolute path, or the name in each directory of our own search path. */
static int spawn_found(pid_t *pid, const char *const *argv, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attr) {
    static const char env_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static const char env_locale[] = "LC_ALL=C";
    /* posix_spawn takes char *const[] for history's sake and changes nothing. */
    union {
        const char *const *ours;
        char *const *theirs;
    } args = {.ours = argv}, env = {.ours = (const char *const[]){env_path, env_locale, NULL}};
    if (argv[0][0] == '/')
        return posix_spawn(pid, argv[0], actions, attr, args.theirs, env.theirs);
    if (strchr(argv[0], '/'))
        return EINVAL;
    int found = ENOENT;
    for (size_t i = 0; i < SEARCH_PATH_COUNT && found == ENOENT; i++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", search_path[i], argv[0]) >= (int)sizeof path)
            return ENAMETOOLONG;
        found = posix_spawn(pid, path, actions, attr, args.theirs, env.theirs);
    }
    return found;
}

static int spawn(pid_t *pid, const char *const *argv, const struct stdio *io) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return -rc;
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = prepare(&actions, &attr, io);
        if (rc == 0)
            rc = spawn_found(pid, argv, &actions, &attr);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

/* Take one piece off the pipe. False when there is none now, or none ever again (then capture is -1). */
static bool drain(struct child *child) {
    char piece[16 * 1024];
    ssize_t got = read(child->capture, piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        child->capture = -1; /* the descriptor belongs to struct stdio */
        return false;
    }
    size_t keep = (size_t)got < child->room ? (size_t)got : child->room;
    td_buf_add(child->output, piece, keep);
    child->room -= keep;
    return true;
}

static int poll_timeout(int64_t deadline) {
    if (deadline == INT64_MAX)
        return -1;
    int64_t left = deadline - td_boot_ns();
    if (left <= 0)
        return 0;
    int64_t ms = left / 1000000 + 1;
    return ms > 60000 ? 60000 : (int)ms;
}

/* Read along until the child has ended (it stays a zombie, so that its process group's number stays ours).
 * Returns whether its time ran out. A grandchild that keeps the pipe open is not waited for. */
static bool watch(struct child *child, int timeout_s) {
    int64_t deadline = timeout_s > 0 ? td_boot_ns() + timeout_s * INT64_C(1000000000) : INT64_MAX;
    int kicks = 0;
    for (;;) {
        struct pollfd fds[2] = {{.fd = child->pidfd, .events = POLLIN}, {.fd = child->capture, .events = POLLIN}};
        int ready = poll(fds, 2, poll_timeout(deadline));
        if (ready > 0 && fds[1].revents)
            drain(child);
        if (ready > 0 && fds[0].revents)
            break;
        if (deadline != INT64_MAX && td_boot_ns() >= deadline) {
            kill(-child->pid, kicks++ == 0 ? SIGTERM : SIGKILL);
            deadline = td_boot_ns() + GRACE_NS;
        }
    }
    /* What it wrote last is still in the pipe. Bounded: a grandchild may go on writing for ever. */
    for (int pieces = 0; pieces < 64 && child->capture >= 0 && drain(child); pieces++)
        ;
    return kicks > 0;
}

static int reap(const struct child *child, int *status) {
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED) < 0)
        if (errno != EINTR)
            return -errno;
    *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 0;
}

static int finish(struct child *child, const struct td_process *process, struct td_error *err) {
    bool late = watch(child, process->timeout_s);
    if (late) /* whoever of the group outlived its leader */
        kill(-child->pid, SIGKILL);
    int status = 0;
    int rc = reap(child, &status);
    if (rc < 0)
        return td_fail(err, -rc, "cannot wait for %s", process->argv[0]);
    if (late)
        return td_fail_text(err, ETIMEDOUT, "%s did not end within %d seconds and was stopped", process->argv[0],
                            process->timeout_s);
    return status;
}

int td_process_run(const struct td_process *process, struct td_error *err) {
    __attribute__((cleanup(stdio_close))) struct stdio io = {.in = -1, .out = -1, .capture = -1};
    int rc = open_stdio(process, &io);
    if (rc < 0)
        return td_fail(err, -rc, "cannot prepare to run %s", process->argv[0]);
    struct child child = {.output = process->output, .room = OUTPUT_MAX, .capture = io.capture};
    rc = spawn(&child.pid, process->argv, &io);
    if (rc < 0)
        return td_fail(err, -rc, "cannot run %s", process->argv[0]);
    close(td_take_fd(&io.out)); /* else our own copy would keep the pipe from ending */
    TD_AUTOCLOSE int pidfd = pidfd_open(child.pid, 0);
    if (pidfd < 0) {
        int saved = errno, status;
        kill(-child.pid, SIGKILL);
        reap(&child, &status);
        return td_fail(err, saved, "cannot watch %s", process->argv[0]);
    }
    child.pidfd = pidfd;
    return finish(&child, process, err);
}

int td_process_start(const char *const *argv, struct td_companion *out, struct td_error *err) {
    __attribute__((cleanup(stdio_close))) struct stdio io = {.in = -1, .out = -1, .capture = -1};
    int ends[2];
    *out = (struct td_companion){0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return td_fail(err, errno, "cannot prepare to run %s", argv[0]);
    io.in = raise_fd(ends[0]);
    TD_AUTOCLOSE int hold = raise_fd(ends[1]);
    io.out = raise_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (io.in < 0 || hold < 0 || io.out < 0)
        return td_fail(err, errno, "cannot prepare to run %s", argv[0]);
    int rc = spawn(&out->pid, argv, &io);
    if (rc < 0) {
        out->pid = 0;
        return td_fail(err, -rc, "cannot run %s", argv[0]);
    }
    out->pipe = td_take_fd(&hold);
    return 0;
}

void td_process_stop(struct td_companion *companion) {
    int status;
    if (companion->pid == 0)
        return;
    close(companion->pipe);
    kill(-companion->pid, SIGTERM);
    reap(&(struct child){.pid = companion->pid}, &status);
    *companion = (struct td_companion){0};
}
