/* Real loop devices for tests: an image file in a directory of its own, attached, and both taken away again. */
#ifndef TWINDOCK_TESTS_LOOPDEV_H
#define TWINDOCK_TESTS_LOOPDEV_H

#include "twindock/platform/blockdev.h"

#include <stdbool.h>
#include <stdint.h>

struct loopdev {
    char directory[256]; /* temporary */
    char image[300];
    char node[TD_NODE_MAX]; /* "/dev/loop3" while attached, else "" */
};

/* A sparse image of `size` bytes, not attached. Each of these fails the running test when it cannot. */
void loopdev_create(struct loopdev *loop, uint64_t size);
/* Attach it to a free loop device; `partitions`: with partition scanning. */
void loopdev_attach(struct loopdev *loop, bool partitions);
void loopdev_detach(struct loopdev *loop);
/* Detach and remove; in teardowns, where nothing may fail. Also for a zeroed struct. */
void loopdev_destroy(struct loopdev *loop);

/* Run a program that must exit with 0; `...` is its argument list ended by NULL. */
void must_run(const char *program, ...);

/* A number that changes when a byte of the file does. */
uint64_t file_sum(const char *path);

#endif
