#include "loopdev.h"

#include "twindock/base/buf.h"
#include "twindock/platform/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int run(const char *const *argv, struct td_buf *output) {
    return td_process_run(&(struct td_process){.argv = argv, .output = output}, NULL);
}

void must_run(const char *program, ...) {
    const char *argv[32] = {program};
    va_list args;
    va_start(args, program);
    for (size_t i = 1; i < 31 && (argv[i] = va_arg(args, const char *)); i++)
        ;
    va_end(args);
    TD_AUTOBUF struct td_buf output = {0};
    int rc = run(argv, &output);
    if (rc != 0)
        print_error("%s: %d: %s\n", program, rc, td_buf_text(&output));
    assert_int_equal(rc, 0);
}

void loopdev_create(struct loopdev *loop, uint64_t size) {
    memset(loop, 0, sizeof *loop);
    const char *tmp = getenv("TMPDIR");
    snprintf(loop->directory, sizeof loop->directory, "%s/twindock-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(loop->directory));
    snprintf(loop->image, sizeof loop->image, "%s/image", loop->directory);
    int fd = open(loop->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    int rc = ftruncate(fd, (off_t)size);
    close(fd);
    assert_int_equal(rc, 0);
}

void loopdev_attach(struct loopdev *loop, bool partitions) {
    TD_AUTOBUF struct td_buf output = {0};
    const char *const argv[] = {"losetup", "-f", "--show", partitions ? "-P" : "--", loop->image, NULL};
    /* Another process may take the free one first. */
    for (int i = 0; i < 10; i++) {
        td_buf_clear(&output);
        if (run(argv, &output) == 0)
            break;
        usleep(100000);
    }
    size_t len = strcspn(td_buf_text(&output), "\n");
    assert_true(len > 5 && len < sizeof loop->node && strncmp(td_buf_text(&output), "/dev/", 5) == 0);
    memcpy(loop->node, td_buf_text(&output), len);
    loop->node[len] = '\0';
    /* A kernel without partition parsers is told. What it was told of an image before stays, unless that is undone. */
    const char *const partx[] = {"partx", partitions ? "-u" : "-d", loop->node, NULL};
    run(partx, NULL);
}

void loopdev_detach(struct loopdev *loop) {
    if (!loop->node[0])
        return;
    const char *const argv[] = {"losetup", "-d", loop->node, NULL};
    run(argv, NULL);
    loop->node[0] = '\0';
}

void loopdev_destroy(struct loopdev *loop) {
    loopdev_detach(loop);
    if (loop->image[0])
        unlink(loop->image);
    if (loop->directory[0])
        rmdir(loop->directory);
    memset(loop, 0, sizeof *loop);
}

uint64_t file_sum(const char *path) {
    uint64_t sum = 0xcbf29ce484222325; /* FNV-1a */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static uint8_t chunk[1 << 16];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < got; i++)
            sum = (sum ^ chunk[i]) * 0x100000001b3;
    close(fd);
    assert_int_equal(got, 0);
    return sum;
}
