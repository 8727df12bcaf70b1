/* ext4 on a device: its superblock as the disk has it, and e2fsprogs. */
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/blkid.h"
#include "twindock/platform/digest.h"
#include "twindock/platform/ext4.h"
#include "twindock/platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#define PIECE 4096 /* holds the superblock; aligned for the direct reads of any drive */
#define LABEL_MAX 16
#define E2FSCK_NOT_FINE 4

/* A descriptor, and whether its reads bypass the cache. */
static int open_direct(const char *node) {
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = open(node, flags | O_DIRECT);
    if (fd < 0 && errno == EINVAL) {
        fd = open(node, flags);
        if (fd >= 0) /* the second best: drop what is cached and clean */
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    return fd < 0 ? -errno : fd;
}

/* A mark of the superblock as it is now: it holds counts and times of mounts, and random numbers. */
static int fingerprint(const uint8_t *super, char out[33], struct td_error *err) {
    uint8_t hash[TD_SHA256_LEN];
    struct td_digest *digest = td_digest_new(err);
    if (digest == NULL)
        return -err->code;
    int rc = td_digest_start(digest);
    if (rc == 0)
        rc = td_digest_add(digest, super, TD_EXT4_SUPER_SIZE);
    if (rc == 0)
        rc = td_digest_end(digest, hash);
    td_digest_free(digest);
    if (rc != 0)
        return td_fail(err, -rc, "cannot hash the superblock");
    td_hex(out, hash, 16);
    return 0;
}

int td_ext4_read(const char *node, struct td_ext4 *out, struct td_error *err) {
    memset(out, 0, sizeof *out);
    TD_AUTOCLOSE int fd = open_direct(node);
    if (fd < 0)
        return td_fail(err, -fd, "cannot open %s", node);
    TD_AUTOFREE uint8_t *piece = aligned_alloc(PIECE, PIECE);
    if (!piece)
        return td_fail(err, ENOMEM, "cannot read the superblock of %s", node);
    ssize_t got = td_pread_all(fd, piece, PIECE, 0);
    if (got < 0)
        return td_fail(err, (int)-got, "cannot read the superblock of %s", node);
    if (got < TD_EXT4_SUPER_OFFSET + TD_EXT4_SUPER_SIZE || td_ext4_parse(piece + TD_EXT4_SUPER_OFFSET, out) < 0)
        return td_fail_text(err, EINVAL, "%s holds no ext4 filesystem", node);
    struct td_error ignored = {0};
    return fingerprint(piece + TD_EXT4_SUPER_OFFSET, out->mark, err != NULL ? err : &ignored);
}

/* The last line a tool wrote is the one that says why it failed. */
static const char *last_line(struct td_buf *output) {
    while (output->len > 0 && output->data[output->len - 1] == '\n')
        output->data[--output->len] = '\0';
    const char *text = td_buf_text(output);
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static int read_start(const char *node, uint8_t start[TD_EXT4_START], struct td_error *err) {
    TD_AUTOCLOSE int fd = open_direct(node);
    if (fd < 0)
        return td_fail(err, -fd, "cannot open %s", node);
    TD_AUTOFREE uint8_t *piece = aligned_alloc(TD_EXT4_START, TD_EXT4_START);
    if (!piece)
        return td_fail(err, ENOMEM, "cannot read %s", node);
    ssize_t got = td_pread_all(fd, piece, TD_EXT4_START, 0);
    if (got != TD_EXT4_START)
        return td_fail(err, got < 0 ? (int)-got : EIO, "cannot read %s", node);
    memcpy(start, piece, TD_EXT4_START);
    return 0;
}

/* e2fsck dies of an undo file that it cannot make, so it is tried before. */
static int keep_for_undo(const char *node, struct td_ext4_undo *undo, struct td_error *err) {
    (void)unlink(undo->file);
    TD_AUTOCLOSE int fd = open(undo->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return td_fail(err, errno, "cannot make %s", undo->file);
    (void)unlink(undo->file);
    int rc = read_start(node, undo->start, err);
    undo->kept = rc == 0;
    return rc;
}

static int write_start(const char *node, const uint8_t start[TD_EXT4_START], struct td_error *err) {
    TD_AUTOCLOSE int fd = open(node, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", node);
    int rc = td_pwrite_all(fd, start, TD_EXT4_START, 0);
    if (rc == 0 && td_sys.fsync(fd) != 0)
        rc = -errno;
    return rc < 0 ? td_fail(err, -rc, "cannot write to %s", node) : 0;
}

int td_ext4_take_back(const char *node, const struct td_ext4_undo *undo, struct td_error *err) {
    TD_AUTOBUF struct td_buf output = {0};
    const char *const argv[] = {"e2undo", "-f", undo->file, node, NULL};
    const struct td_process process = {.argv = argv, .output = &output};
    if (!undo->kept || access(undo->file, F_OK) != 0)
        return 0;
    int rc = td_process_run(&process, err);
    if (rc < 0)
        return td_wrap(err, rc, "cannot take back what e2fsck did to %s", node);
    if (rc > 0)
        return td_fail_text(err, EIO, "e2undo %s %s ended with %d: %s", undo->file, node, rc, last_line(&output));
    return write_start(node, undo->start, err);
}

void td_ext4_forget(struct td_ext4_undo *undo) {
    if (undo->kept)
        (void)unlink(undo->file);
    undo->kept = false;
}

int td_ext4_preen(const char *node, struct td_ext4_undo *undo, int *status, struct td_error *err) {
    TD_AUTOBUF struct td_buf output = {0};
    const char *const plain[] = {"e2fsck", "-p", node, NULL};
    const char *const keeping[] = {"e2fsck", "-p", "-z", undo ? undo->file : NULL, node, NULL};
    const char *const *argv = undo ? keeping : plain;
    int kept = undo ? keep_for_undo(node, undo, err) : 0;
    if (kept < 0)
        return td_wrap(err, kept, "cannot check %s", node);
    /* No limit on its time: half a repair is worse than a late one. */
    const struct td_process process = {.argv = argv, .output = &output};
    int rc = td_process_run(&process, err);
    if (rc < 0)
        return td_wrap(err, rc, "cannot check %s", node);
    *status = rc;
    if (rc >= E2FSCK_NOT_FINE)
        td_fail_text(err, EUCLEAN, "e2fsck -p %s ended with %d: %s", node, rc, last_line(&output));
    return 0;
}

/* Let go of partitions that the whole disk had before; a partition or a busy disk says no, which is right. */
static void forget_partitions(const char *node) {
    TD_AUTOCLOSE int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        (void)ioctl(fd, BLKRRPART);
}

/* mkfs said yes; the disk is asked whether it agrees. */
static int check_made(const char *node, const char *uuid, struct td_error *err) {
    struct td_ext4 made;
    int rc = td_ext4_read(node, &made, err);
    if (rc < 0)
        return td_wrap(err, rc, "the new filesystem cannot be read back");
    if (strcmp(made.uuid, uuid) != 0)
        return td_fail_text(err, EIO, "%s does not hold the filesystem just made on it", node);
    const char *refused = td_ext4_refused(&made);
    if (refused)
        return td_fail_text(err, ENOTSUP, "mkfs.ext4 made a filesystem with %s; see /etc/mke2fs.conf", refused);
    return 0;
}

int td_ext4_make(const char *node, const struct td_ext4_format *format, struct td_error *err) {
    if (strlen(format->label) > LABEL_MAX)
        return td_fail_text(err, EINVAL, "the label %s is longer than %d bytes", format->label, LABEL_MAX);
    int rc = td_blkid_wipe(node, err);
    if (rc < 0)
        return rc;
    forget_partitions(node);
    /* Blocks of 4 KiB whatever the size: small ones have no room for long symlinks and attributes. */
    const char *argv[20] = {"mkfs.ext4",
                            "-F",
                            "-q",
                            "-b",
                            "4096",
                            "-I",
                            "256",
                            "-m",
                            "0",
                            "-E",
                            "lazy_itable_init=0,lazy_journal_init=0",
                            "-U",
                            format->uuid,
                            "-L",
                            format->label};
    size_t argc = 0;
    while (argv[argc] != NULL)
        argc++;
    if (format->files != TD_FILES_NORMAL) {
        argv[argc++] = "-i";
        argv[argc++] = format->files == TD_FILES_LARGE ? "1048576" : "4096";
    }
    argv[argc] = node;
    TD_AUTOBUF struct td_buf output = {0};
    const struct td_process process = {.argv = argv, .output = &output};
    rc = td_process_run(&process, err);
    if (rc < 0)
        return td_wrap(err, rc, "cannot make a filesystem on %s", node);
    if (rc > 0)
        return td_fail_text(err, EIO, "mkfs.ext4 %s ended with %d: %s", node, rc, last_line(&output));
    return check_made(node, format->uuid, err);
}

int td_uuid_random(char out[37], struct td_error *err) {
    uint8_t raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return td_fail(err, errno > 0 ? errno : EIO, "cannot get random numbers");
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40); /* RFC 4122: version 4, */
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80); /* variant 1 */
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", raw[0], raw[1], raw[2],
             raw[3], raw[4], raw[5], raw[6], raw[7], raw[8], raw[9], raw[10], raw[11], raw[12], raw[13], raw[14],
             raw[15]);
    return 0;
}
