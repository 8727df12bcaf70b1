/* The runs' directories below history/ and quarantine/: their names, and giving them up. */
#include "twindock/sync/history.h"

#include "target_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TD_RUN_DIGITS 8
#define TD_RUN_DIGITS_MAX 14     /* what fits into TD_HISTORY_NAME_MAX together with the time */
#define TD_TIME_LEN 16           /* 20140902T200004Z */
#define TD_CLOCK_LOST 1000000000 /* 2001: before it only a machine that has lost its time of day */

static const char *const td_stores[] = {TD_HISTORY, TD_QUARANTINE};
#define TD_STORES (sizeof(td_stores) / sizeof(td_stores[0]))

void td_history_name(char out[TD_HISTORY_NAME_MAX], int64_t run, int64_t started) {
    time_t seconds = (time_t)started;
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    char when[64];
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    snprintf(out, TD_HISTORY_NAME_MAX, "%08" PRId64 "-%.16s", run, when);
}

/* `count` digits as a number; -1 if there are others among them. */
static int td_digits(const char *text, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static bool td_is_time(const char *text) {
    if (strlen(text) != TD_TIME_LEN || text[8] != 'T' || text[15] != 'Z')
        return false;
    int year = td_digits(text, 4), month = td_digits(text + 4, 2), day = td_digits(text + 6, 2);
    int hour = td_digits(text + 9, 2), minute = td_digits(text + 11, 2), second = td_digits(text + 13, 2);
    return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour >= 0 && hour <= 23 && minute >= 0 &&
           minute <= 59 && second >= 0 && second <= 60;
}

/* A run's directory in history/ or quarantine/. */
struct td_kept_run {
    char name[TD_HISTORY_NAME_MAX];
    int64_t run;
};

static bool td_parse_run(const char *name, struct td_kept_run *out) {
    size_t digits = strspn(name, "0123456789");
    if (digits < TD_RUN_DIGITS || digits > TD_RUN_DIGITS_MAX || name[digits] != '-')
        return false;
    *out = (struct td_kept_run){0};
    for (size_t i = 0; i < digits; i++)
        out->run = out->run * 10 + (name[i] - '0');
    if (!td_is_time(name + digits + 1))
        return false;
    memcpy(out->name, name, strlen(name) + 1);
    return true;
}

static int td_open_store(int store, const char *name) {
    int fd = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void td_close_dir(DIR **dir) {
    if (*dir)
        closedir(*dir);
}

/* Find the oldest run in history/ and quarantine/ together, `except` left out. 1: found, 0: none. */
static int td_find_oldest(int store, const char *except, struct td_kept_run *oldest) {
    bool found = false;
    for (size_t i = 0; i < TD_STORES; i++) {
        TD_AUTOCLOSE int fd = td_open_store(store, td_stores[i]);
        if (fd == -ENOENT)
            continue;
        if (fd < 0)
            return fd;
        __attribute__((cleanup(td_close_dir))) DIR *dir = fdopendir(fd);
        if (!dir)
            return -errno;
        td_take_fd(&fd);
        struct dirent *entry;
        while ((errno = 0, entry = readdir(dir))) {
            struct td_kept_run run;
            if (!td_parse_run(entry->d_name, &run) || (except && strcmp(entry->d_name, except) == 0))
                continue;
            if (found && (run.run > oldest->run || (run.run == oldest->run && strcmp(run.name, oldest->name) >= 0)))
                continue;
            *oldest = run;
            found = true;
        }
        if (errno != 0)
            return -errno;
    }
    return found;
}

/* The text beside a run's directory goes with it; it is made anew when it is needed. */
static void td_drop_index(int fd, const char *name) {
    char index[TD_HISTORY_NAME_MAX + 16];
    snprintf(index, sizeof(index), "%s.index", name);
    (void)unlinkat(fd, index, 0);
}

/* Remove `name` from `fd`, one of the stores. It leaves it as a whole: half of a run, as a removal that is cut off
 * would leave it, looks to the next one as if the other half had been lost. What is left in staging is swept. */
static int td_give_up(int store, int fd, const char *name, struct td_expired *out) {
    char gone[TD_HISTORY_NAME_MAX + 8];
    snprintf(gone, sizeof(gone), "gone-%s", name);
    TD_AUTOCLOSE int staging = td_staging_open(store);
    int rc = staging < 0 ? staging : td_remove_tree(staging, gone, out);
    if (rc == 0 && td_sys.renameat2(fd, name, staging, gone, 0) < 0)
        rc = errno == ENOENT ? 0 : -errno;
    bool in_place = td_errno_is_full(-rc); /* staging cannot take another name: room comes first */
    if (in_place)
        rc = td_remove_tree(fd, name, out);
    if (rc == 0)
        td_drop_index(fd, name);
    return rc < 0 || in_place ? rc : td_remove_tree(staging, gone, out);
}

/* Remove `name` from history/ and quarantine/. */
static int td_drop_run(int store, const char *name, struct td_expired *out, struct td_error *err) {
    for (size_t i = 0; i < TD_STORES; i++) {
        TD_AUTOCLOSE int fd = td_open_store(store, td_stores[i]);
        if (fd == -ENOENT)
            continue;
        if (fd < 0)
            return td_fail(err, -fd, "cannot open %s", td_stores[i]);
        int rc = td_give_up(store, fd, name, out);
        if (rc < 0)
            return td_fail(err, -rc, "cannot give up %s/%s", td_stores[i], name);
    }
    out->runs++;
    return 0;
}

/* Is there a history/recovered that got its last entry before `oldest`? One from a time that cannot be got it now. */
static bool td_recovered_before(int store, int64_t oldest) {
    struct stat st;
    if (fstatat(store, TD_HISTORY "/" TD_RECOVERED, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_mtime >= oldest)
        return false;
    if (oldest == INT64_MAX || st.st_mtime >= TD_CLOCK_LOST)
        return true;
    (void)utimensat(store, TD_HISTORY "/" TD_RECOVERED, NULL, AT_SYMLINK_NOFOLLOW);
    return false;
}

/* The names of the runs up to `last` in one store; an array for the caller. Their count or -errno. */
static int td_list_expired(int fd, int64_t last, const char *except, struct td_kept_run **out) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0)
        return -errno;
    __attribute__((cleanup(td_close_dir))) DIR *dir = fdopendir(copy);
    if (!dir) {
        int rc = -errno;
        close(copy);
        return rc;
    }
    int count = 0;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir))) {
        struct td_kept_run run;
        if (!td_parse_run(entry->d_name, &run) || run.run > last || (except && strcmp(entry->d_name, except) == 0))
            continue;
        struct td_kept_run *grown = realloc(*out, ((size_t)count + 1) * sizeof(run));
        if (!grown)
            return -ENOMEM;
        *out = grown;
        grown[count++] = run;
    }
    return errno != 0 ? -errno : count;
}

static int td_expire_store(int store, const char *which, int64_t last, const char *except, struct td_expired *out,
                           struct td_error *err) {
    TD_AUTOCLOSE int fd = td_open_store(store, which);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return td_fail(err, -fd, "cannot open %s", which);
    TD_AUTOFREE struct td_kept_run *runs = NULL;
    int count = td_list_expired(fd, last, except, &runs);
    if (count < 0)
        return td_fail(err, -count, "cannot read %s", which);
    for (int i = 0; i < count; i++) {
        int rc = td_give_up(store, fd, runs[i].name, out);
        if (rc < 0)
            return td_fail(err, -rc, "cannot give up %s/%s", which, runs[i].name);
        out->runs++;
    }
    return 0;
}

int td_history_expire(int store, int64_t last, int64_t oldest, const char *except, struct td_expired *out,
                      struct td_error *err) {
    struct td_expired none;
    if (!out)
        out = &none;
    *out = (struct td_expired){0};
    for (size_t i = 0; i < TD_STORES; i++) {
        int rc = td_expire_store(store, td_stores[i], last, except, out, err);
        if (rc < 0)
            return rc;
    }
    if (!td_recovered_before(store, oldest))
        return 0;
    return td_drop_run(store, TD_RECOVERED, out, err);
}

int td_history_drop_oldest(int store, const char *except, struct td_expired *out, struct td_error *err) {
    struct td_expired none;
    if (!out)
        out = &none;
    *out = (struct td_expired){0};
    struct td_kept_run oldest;
    int rc = td_find_oldest(store, except, &oldest);
    if (rc < 0)
        return td_fail(err, -rc, "cannot read the history");
    if (rc > 0)
        return td_drop_run(store, oldest.name, out, err);
    /* What a killed run had swapped out is the last to go: nobody has looked at it yet. */
    if (td_recovered_before(store, INT64_MAX))
        return td_drop_run(store, TD_RECOVERED, out, err);
    return td_fail_text(err, ENOENT, "there is no older history to give up");
}

int td_history_list(int store, int (*each)(void *ctx, const char *name, int64_t run), void *ctx, struct td_error *err) {
    TD_AUTOCLOSE int fd = td_open_store(store, TD_HISTORY);
    if (fd == -ENOENT)
        return 0;
    __attribute__((cleanup(td_close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return td_fail(err, fd < 0 ? -fd : errno, "cannot read the history");
    td_take_fd(&fd);
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir))) {
        struct td_kept_run run = {.run = 0};
        if (!td_parse_run(entry->d_name, &run) && strcmp(entry->d_name, TD_RECOVERED) != 0)
            continue;
        int rc = each(ctx, entry->d_name, run.run);
        if (rc != 0)
            return rc;
    }
    return errno != 0 ? td_fail(err, errno, "cannot read the history") : 0;
}
