#include "twindock/platform/blkid.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS_MAX 128
#define FRONT (512U << 10) /* bytes at the beginning where most signatures are, */
#define TAIL (2U << 20)    /* and at the end */
#define WIPE_MAX 64        /* signatures; a disk that has more is not believed to become clean */

/* libblkid's own return codes */
enum { PROBE_FOUND = 0, PROBE_NOTHING = 1, PROBE_AMBIVALENT = -2 };

static void free_probe(const blkid_probe *probe) {
    blkid_free_probe(*probe); /* takes NULL; the descriptor stays ours */
}

#define AUTOPROBE __attribute__((cleanup(free_probe)))

/* Copy a value that need not be text (a raw label) up to its first NUL. */
static void take_value(blkid_probe probe, const char *name, char *out, size_t size) {
    const char *data = NULL;
    size_t len = 0;
    out[0] = '\0';
    if (blkid_probe_lookup_value(probe, name, &data, &len) != 0 || !data)
        return;
    len = strnlen(data, len);
    if (len >= size)
        len = size - 1;
    memcpy(out, data, len);
    out[len] = '\0';
}

/* libblkid takes an unreadable sector for one without signature, so reading is tried first. */
static int try_read(int fd) {
    char start[4096];
    ssize_t got = td_pread_all(fd, start, sizeof start, 0);
    return got < 0 ? (int)got : 0;
}

static void read_stretch(int fd, uint64_t at, uint64_t length) {
    TD_AUTOFREE char *buffer = malloc(TAIL);
    if (buffer != NULL)
        (void)td_pread_all(fd, buffer, (size_t)length, (off_t)at);
}

/* libblkid looks at some thirty places at both ends, to and fro. Once the two stretches lie in the cache, the head
 * moves twice. What cannot be read is met again by the probe. */
static void read_ends(int fd, uint64_t size) {
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* nothing beyond what is asked for */
    read_stretch(fd, 0, size < FRONT ? size : FRONT);
    if (size > FRONT + TAIL)
        read_stretch(fd, size - TAIL, TAIL);
}

static int enable_chains(blkid_probe probe) {
    const int wanted = BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_LABELRAW;
    if (blkid_probe_enable_superblocks(probe, 1) || blkid_probe_set_superblocks_flags(probe, wanted) ||
        blkid_probe_enable_partitions(probe, 1) || blkid_probe_set_partitions_flags(probe, 0))
        return -EIO;
    return 0;
}

static int run_probe(blkid_probe probe, struct td_filesystem *out) {
    errno = 0;
    int rc = blkid_do_safeprobe(probe);
    if (rc == PROBE_AMBIVALENT) {
        out->ambivalent = true;
        /* Name the first signature anyway: a person is told what seems to be there. */
        blkid_reset_probe(probe);
        rc = blkid_do_probe(probe) == 0 ? PROBE_FOUND : PROBE_NOTHING;
    }
    if (rc == PROBE_NOTHING)
        return 0;
    if (rc != PROBE_FOUND)
        return errno > 0 ? -errno : -EIO;
    take_value(probe, "TYPE", out->type, sizeof out->type);
    take_value(probe, "UUID", out->uuid, sizeof out->uuid);
    take_value(probe, "LABEL_RAW", out->label, sizeof out->label);
    if (!out->label[0])
        take_value(probe, "LABEL", out->label, sizeof out->label);
    out->partition_table = blkid_probe_has_value(probe, "PTTYPE");
    /* A filesystem beneath a partition table: one of the two is a leftover, and which is anybody's guess. */
    if (out->type[0] && out->partition_table)
        out->ambivalent = true;
    return 0;
}

int td_blkid_probe(const struct td_blockdev *device, struct td_filesystem *out, struct td_error *err) {
    *out = (struct td_filesystem){.device = *device};
    if (device->size == 0)
        return 0; /* no medium */
    TD_AUTOCLOSE int fd = open(device->node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", device->node);
    int rc = try_read(fd);
    if (rc < 0)
        return td_fail(err, -rc, "cannot read %s", device->node);
    read_ends(fd, device->size);
    AUTOPROBE blkid_probe probe = blkid_new_probe();
    if (!probe)
        return td_fail(err, ENOMEM, "cannot probe %s", device->node);
    errno = 0;
    if (blkid_probe_set_device(probe, fd, 0, 0) != 0 || enable_chains(probe) < 0)
        return td_fail(err, errno > 0 ? errno : EIO, "cannot probe %s", device->node);
    rc = run_probe(probe, out);
    if (rc < 0)
        return td_fail(err, -rc, "cannot probe %s", device->node);
    return 0;
}

/* How much a partition's filesystem is what the caller looks for: 0 none, 1 some filesystem, 2 the wanted one. */
static int rank(const struct td_filesystem *fs, bool (*wanted)(const void *ctx, const char *uuid), const void *ctx) {
    if (!fs->type[0])
        return 0;
    return wanted && fs->uuid[0] && wanted(ctx, fs->uuid) ? 2 : 1;
}

static void choose(struct td_filesystem *best, int *best_rank, const struct td_filesystem *seen, int seen_rank) {
    if (seen_rank == 2 && *best_rank == 2) {
        best->ambivalent = true; /* two wanted filesystems on one disk: no telling which is meant */
        return;
    }
    if (seen_rank < *best_rank || seen_rank == 0)
        return;
    if (seen_rank == *best_rank && seen->device.size <= best->device.size)
        return;
    *best = *seen;
    *best_rank = seen_rank;
}

int td_blkid_find(const struct td_blockdev *disk, bool (*wanted)(const void *ctx, const char *uuid), const void *ctx,
                  struct td_filesystem *out, struct td_error *err) {
    int rc = td_blkid_probe(disk, out, err);
    if (rc < 0 || out->type[0] || !out->partition_table)
        return rc;
    TD_AUTOFREE struct td_blockdev *parts = calloc(PARTITIONS_MAX, sizeof *parts);
    if (!parts)
        return td_fail(err, ENOMEM, "cannot look at the partitions of %s", disk->node);
    int count = td_blockdev_partitions(disk, parts, PARTITIONS_MAX, err);
    if (count < 0)
        return count;
    struct td_filesystem best = *out, seen;
    int best_rank = 0;
    for (int i = 0; i < count; i++) {
        rc = td_blkid_probe(&parts[i], &seen, err);
        if (rc < 0)
            return rc;
        seen.partition_table = true; /* the disk's, as the header says */
        choose(&best, &best_rank, &seen, rank(&seen, wanted, ctx));
    }
    *out = best;
    return 0;
}

int td_blkid_wipe(const char *node, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(node, O_RDWR | O_CLOEXEC | O_EXCL | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", node);
    AUTOPROBE blkid_probe probe = blkid_new_probe();
    if (!probe)
        return td_fail(err, ENOMEM, "cannot probe %s", node);
    errno = 0;
    if (blkid_probe_set_device(probe, fd, 0, 0) != 0 || enable_chains(probe) < 0 ||
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM) ||
        blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT))
        return td_fail(err, errno > 0 ? errno : EIO, "cannot probe %s", node);
    /* blkid_do_wipe erases the signature just found; the next probe goes on from there. */
    int left = WIPE_MAX;
    while (left > 0 && blkid_do_probe(probe) == PROBE_FOUND) {
        if (blkid_do_wipe(probe, 0) != 0)
            return td_fail(err, errno > 0 ? errno : EIO, "cannot erase an old signature on %s", node);
        left--;
    }
    if (left == 0)
        return td_fail_text(err, EIO, "%s keeps showing old signatures after they were erased", node);
    return fsync(fd) < 0 ? td_fail(err, errno, "cannot erase old signatures on %s", node) : 0;
}
