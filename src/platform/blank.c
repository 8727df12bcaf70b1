/* Is a disk empty? libblkid knows signatures; what has none, or has lost it, may be full of data all the same. */
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/platform/blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define HEAD (16 * MIB) /* tables, superblocks, and what follows them closely */
#define TAIL (2 * MIB)  /* the second table of a GPT, the superblock of a RAID */
#define SAMPLE (64 * KIB)
#define SPREAD 64 /* samples over the rest of the disk */
#define PIECE MIB

struct look {
    int fd;
    uint64_t size;
    uint8_t *buffer; /* PIECE bytes */
    int byte;        /* what the disk is filled with so far, -1: nothing was read */
};

/* 1: nothing but the byte that the disk is filled with. Beyond the end there is nothing. */
static int stretch_is_blank(struct look *look, uint64_t at, uint64_t length) {
    uint64_t end = at >= look->size ? at : length > look->size - at ? look->size : at + length;
    while (at < end) {
        size_t want = (size_t)(end - at < PIECE ? end - at : PIECE);
        ssize_t got = td_pread_all(look->fd, look->buffer, want, (off_t)at);
        if (got < 0)
            return (int)got;
        if ((size_t)got < want)
            return -EIO;
        if (look->byte < 0)
            look->byte = look->buffer[0];
        if (look->buffer[0] != look->byte || memcmp(look->buffer, look->buffer + 1, want - 1) != 0)
            return 0;
        at += want;
    }
    return 1;
}

/* The copies of ext4's superblock: in groups 1 and 3, 5, 7 and their powers, each of as many blocks as a block has
 * bits; with blocks of 1 KiB everything is one block further on (ext4(5), Documentation/filesystems/ext4/super.rst). */
static int copies_are_blank(struct look *look) {
    static const uint64_t groups[] = {1, 3, 5, 7, 9, 25, 27, 49};
    int blank = 1;
    for (uint64_t block = KIB; block <= 4 * KIB; block *= 2)
        for (size_t i = 0; i < sizeof groups / sizeof *groups && blank > 0; i++)
            blank = stretch_is_blank(look, groups[i] * 8 * block * block, 2 * block);
    return blank;
}

static int samples_are_blank(struct look *look) {
    int blank = 1;
    for (uint64_t i = 1; i <= SPREAD && blank > 0; i++)
        blank = stretch_is_blank(look, look->size / (SPREAD + 1) * i / SAMPLE * SAMPLE, SAMPLE);
    return blank;
}

static int look_all_over(struct look *look) {
    int blank = stretch_is_blank(look, 0, HEAD);
    if (blank > 0)
        blank = stretch_is_blank(look, look->size > TAIL ? look->size - TAIL : 0, TAIL);
    if (blank > 0)
        blank = copies_are_blank(look);
    if (blank > 0)
        blank = samples_are_blank(look);
    return blank > 0 ? look->byte == 0x00 || look->byte == 0xff : blank;
}

int td_blockdev_is_blank(const struct td_blockdev *device, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(device->node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", device->node);
    TD_AUTOFREE uint8_t *buffer = malloc(PIECE);
    if (buffer == NULL)
        return td_fail(err, ENOMEM, "cannot look at %s", device->node);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* nothing beyond what is asked for */
    struct look look = {.fd = fd, .size = device->size, .buffer = buffer, .byte = -1};
    int blank = look_all_over(&look);
    return blank < 0 ? td_fail(err, -blank, "cannot read %s", device->node) : blank;
}
