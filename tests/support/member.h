/*
 * A member to write to: a real ext4 on a loop device, mounted in a mount namespace of the test's own, so that nothing
 * stays behind however the test ends. And small helpers to make, look at and compare files below a directory.
 */
#ifndef TWINDOCK_TESTS_MEMBER_H
#define TWINDOCK_TESTS_MEMBER_H

#include "twindock/sync/target.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct member {
    char dir[64];   /* temporary directory; holds the image and the mount point */
    int mounted;    /* root of the filesystem */
    int collection; /* M/ on it */
    int store;      /* .twindock/ on it */
};

bool member_possible(void);              /* root, with a mount namespace; call once per program, before any thread */
int member_run(const char *const *argv); /* fork, exec, wait: the exit status */
void member_make(struct member *member, unsigned megabytes);
void member_make_from(struct member *member, const char *image); /* mounts a copy of another member's image */
void member_remount(struct member *member);                      /* what is read then has left the caches */
void member_free(struct member *member);

/* A plain directory under $TMPDIR, for sources. */
int scratch_make(char path[64]);
void scratch_remove(const char *path, int fd);

/* Every path is below a directory; missing parents are made. They fail the test when they cannot. */
void put_text(int root, const char *path, const char *text);
void put_bytes(int root, const char *path, size_t size, unsigned seed);
void put_dir(int root, const char *path);
void put_link(int root, const char *path, const char *target);
void put_fifo(int root, const char *path);
char *get_text(int root, const char *path); /* NULL: no regular file; free() */
void assert_text(int root, const char *path, const char *text);
void assert_same_file(int root, const char *path, int other, const char *other_path);
mode_t kind_of(int root, const char *path); /* S_IFREG ...; 0: not there */
int names_in(int root, const char *path);   /* count of the entries of a directory; 0 when it is not there */

/* What targets have reported. */
struct report {
    int64_t id;
    int error;
    enum td_side side;
    uint64_t bytes;
    uint8_t hash[TD_HASH_LEN];
    char text[256];
};
struct reports {
    pthread_mutex_t lock;
    struct report *report;
    size_t count;
};
void reports_done(void *reports, const struct td_op_done *done); /* for td_target_options.done */
/* The one report for id and side; fails the test when there is none or more than one. */
const struct report *reports_find(struct reports *reports, enum td_side side, int64_t id);
size_t reports_count(struct reports *reports);
void reports_free(struct reports *reports);

struct td_target *member_start(const struct member *member, enum td_side side, int source, const char *history,
                               struct reports *reports);
/* Operations with the entry read from the source. */
void submit(struct td_target *target, int64_t id, enum td_action action, int source, const char *path,
            const char *from);
void submit_delete(struct td_target *target, int64_t id, const char *path, bool keep);
enum td_copy_status copy_to(struct td_target *target, int64_t id, int source, const char *path);

#endif
