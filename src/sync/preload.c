#include "twindock/sync/preload.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/range.h"
#include "twindock/platform/ext4_inodes.h"
#include "twindock/platform/extents.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256U << 10)      /* bytes read at a time */
#define SHARE 16U               /* of the machine's memory: one part in so many for inode tables */
#define SPARSE 16U              /* tables so many times as large as the tree's inodes are still read */
#define ALWAYS (4U << 20)       /* bytes: so little is not worth a thought */
#define NOTED_MOST 16384U       /* stretches of directories */
#define DIRECTORIES (64U << 20) /* bytes of directories read at a time */

struct td_preload {
    int device;
    const atomic_bool *cancel;
    uint8_t *buffer; /* PIECE */
    struct td_range *noted;
    size_t count;
    uint64_t bytes; /* of what is noted */
};

/* The device by its numbers, and no other. */
static int open_device(int root) {
    struct td_blockdev device;
    struct stat node;
    if (td_extents_device(root, &device, NULL) < 0)
        return -1;
    TD_AUTOCLOSE int fd = open(device.node, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &node) < 0 || !S_ISBLK(node.st_mode) || node.st_rdev != device.number)
        return -1;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* just what is asked for */
    return td_take_fd(&fd);
}

struct td_preload *td_preload_open(int root, const atomic_bool *cancel) {
    int device = open_device(root);
    struct td_preload *preload = device < 0 ? NULL : calloc(1, sizeof(*preload));
    if (preload == NULL) {
        if (device >= 0)
            close(device);
        return NULL;
    }
    preload->device = device;
    preload->cancel = cancel;
    preload->buffer = malloc(PIECE);
    preload->noted = calloc(NOTED_MOST, sizeof(*preload->noted));
    if (preload->buffer && preload->noted)
        return preload;
    td_preload_close(preload);
    return NULL;
}

void td_preload_close(struct td_preload *preload) {
    if (!preload)
        return;
    close(preload->device);
    free(preload->buffer);
    free(preload->noted);
    free(preload);
}

/* A bad spot is met again by whoever needs it. */
static void read_stretch(struct td_preload *preload, const struct td_range *where) {
    for (uint64_t done = 0; done < where->length; done += PIECE) {
        uint64_t left = where->length - done;
        if (preload->cancel && atomic_load_explicit(preload->cancel, memory_order_relaxed))
            return;
        (void)!pread(preload->device, preload->buffer, left < PIECE ? (size_t)left : PIECE,
                     (off_t)(where->start + done));
    }
}

static uint64_t memory_share(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / SHARE : 0;
}

void td_preload_inodes(struct td_preload *preload, uint64_t entries) {
    struct td_ext4_inodes inodes;
    if (!preload || entries == 0 || td_ext4_inodes(preload->device, &inodes, NULL) < 0)
        return;
    if (inodes.bytes <= memory_share() && inodes.bytes / SPARSE <= entries * inodes.inode_size + ALWAYS / SPARSE)
        for (size_t i = 0; i < inodes.count; i++)
            read_stretch(preload, &inodes.stretch[i]);
    td_ext4_inodes_free(&inodes);
}

static int note(void *ctx, const struct td_range *where) {
    struct td_preload *preload = ctx;
    if (preload->count == NOTED_MOST || where->start == 0 || where->length > DIRECTORIES - preload->bytes)
        return 1;
    preload->noted[preload->count++] = *where;
    preload->bytes += where->length;
    return 0;
}

void td_preload_note(struct td_preload *preload, int directory) {
    if (preload)
        (void)td_extents_each(directory, note, preload);
}

static int by_start(const void *a, const void *b) {
    const struct td_range *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

void td_preload_read(struct td_preload *preload) {
    if (!preload || preload->count == 0)
        return;
    struct td_range *noted = preload->noted, here = noted[0];
    qsort(noted, preload->count, sizeof(*noted), by_start);
    here = noted[0];
    for (size_t i = 1; i < preload->count; i++) {
        if (noted[i].start == here.start + here.length) {
            here.length += noted[i].length;
            continue;
        }
        read_stretch(preload, &here);
        here = noted[i];
    }
    read_stretch(preload, &here);
    preload->count = 0;
    preload->bytes = 0;
}
