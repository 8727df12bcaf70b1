#include "twindock/sync/disk.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/platform/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What lies between two files is read along when it is no longer than this: cheaper than another command, on any disk.
 */
#define READ_OVER (64U << 10)

struct td_disk {
    int root, device;
    uint64_t size;   /* of the device */
    uint8_t *buffer; /* TD_READ_SIZE */
    struct td_digest *digest;
};

static uint64_t align_down(uint64_t n) {
    return n & ~(uint64_t)(TD_ALIGN - 1);
}

static uint64_t align_up(uint64_t n) {
    return align_down(n + TD_ALIGN - 1);
}

/* The device by its numbers, and no other. */
static int open_device(int root, struct td_disk *disk, struct td_error *err) {
    struct td_blockdev device;
    struct stat node;
    int rc = td_extents_device(root, &device, err);
    if (rc < 0)
        return rc;
    disk->device = open(device.node, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY);
    if (disk->device < 0 || fstat(disk->device, &node) < 0)
        return td_fail(err, errno, "cannot open %s", device.node);
    if (!S_ISBLK(node.st_mode) || node.st_rdev != device.number)
        return td_fail_text(err, ENOTBLK, "%s is another device", device.node);
    disk->size = device.size;
    return 0;
}

int td_disk_open(int root, struct td_disk **out, struct td_error *err) {
    struct td_disk *disk = calloc(1, sizeof(*disk));
    *out = NULL;
    if (!disk)
        return td_fail(err, ENOMEM, "preparing to read a disk");
    disk->root = root;
    disk->device = -1;
    int rc = open_device(root, disk, err);
    disk->buffer = td_buffer_new(TD_READ_SIZE);
    disk->digest = td_digest_new(NULL);
    if (rc == 0 && (!disk->buffer || !disk->digest))
        rc = td_fail(err, ENOMEM, "preparing to read a disk");
    if (rc < 0)
        td_disk_close(disk);
    else
        *out = disk;
    return rc;
}

void td_disk_close(struct td_disk *disk) {
    if (!disk)
        return;
    if (disk->device >= 0)
        close(disk->device);
    td_digest_free(disk->digest);
    free(disk->buffer);
    free(disk);
}

/* Find out where the file lies. False: not in a way that can be read here. */
static bool locate(const struct td_disk *disk, struct td_disk_file *file) {
    if (!file->path)
        return false;
    TD_AUTOCLOSE int fd = td_open_beneath(disk->root, file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME, 0);
    struct stat *st = &file->result.stat;
    if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_size <= 0 || st->st_size > TD_DISK_SMALL)
        return false;
    bool whole;
    file->size = (uint64_t)st->st_size;
    return td_extents_first(fd, file->size, &file->place, &whole) == 0 && whole;
}

static bool is_inside(const struct td_disk *disk, const struct td_disk_file *file) {
    return file->size > 0 && file->place > 0 && file->place < disk->size && file->size < disk->size &&
           align_up(file->place + file->size) <= disk->size;
}

static bool read_all(const struct td_disk *disk, uint64_t at, size_t len) {
    for (size_t got = 0; got < len;) {
        ssize_t n = td_sys.pread(disk->device, disk->buffer + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || n % TD_ALIGN != 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void hash(const struct td_disk *disk, struct td_disk_file *file, const uint8_t *data) {
    file->result.bytes = file->size;
    file->read = td_digest_start(disk->digest) == 0 &&
                 td_digest_add(disk->digest, data, (size_t)file->result.bytes) == 0 &&
                 td_digest_end(disk->digest, file->result.hash) == 0;
}

/* How many of these files one read can take, from *begin to *end. The first has been located. */
static size_t stretch(const struct td_disk_file *files, size_t count, uint64_t *begin, uint64_t *end) {
    size_t taken = 1;
    *begin = align_down(files[0].place);
    *end = files[0].place + files[0].size;
    for (; taken < count && files[taken].readable; taken++) {
        const struct td_disk_file *next = &files[taken];
        if (next->place < *end || next->place - *end > READ_OVER ||
            align_up(next->place + next->size) - *begin > TD_READ_SIZE)
            break;
        *end = next->place + next->size;
    }
    *end = align_up(*end);
    return taken;
}

void td_disk_locate(struct td_disk *disk, struct td_disk_file *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct td_disk_file *file = &files[i];
        file->read = false;
        file->result = (struct td_hash_result){0};
        bool found = (file->located || locate(disk, file)) && is_inside(disk, file);
        file->readable = found && file->size <= TD_DISK_SMALL;
        file->alone = found && !file->readable && file->place % TD_ALIGN == 0;
    }
}

size_t td_disk_read(struct td_disk *disk, struct td_disk_file *files, size_t count) {
    uint64_t begin, end;
    if (!files[0].readable)
        return 1;
    size_t taken = stretch(files, count, &begin, &end);
    if (read_all(disk, begin, (size_t)(end - begin)))
        for (size_t i = 0; i < taken; i++)
            hash(disk, &files[i], disk->buffer + (files[i].place - begin));
    return taken; /* after a bad spot unread: the ordinary way finds out whose it is */
}

void td_disk_read_alone(struct td_disk *disk, struct td_disk_file *file, const struct td_hash_watch *watch) {
    td_hash_stretch(disk->device, file->place, file->size, disk->buffer, watch, &file->result);
    file->read = file->result.error == 0;
}
