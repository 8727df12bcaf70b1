#include "twindock/dock/source.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/platform/blkid.h"
#include "twindock/platform/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* What a check works on: the directory that was opened, and where the sentence goes. */
struct source {
    const struct td_collection_config *collection;
    const struct td_observation *seen;
    int fd;
    struct td_buf *why;
};

static void say(const struct source *source, const char *text) {
    td_buf_puts(source->why, text);
}

static void quote(const struct source *source, const char *bytes) {
    td_escape_text(source->why, bytes);
}

/* "The source of M, /array/music, " */
static void begin(const struct source *source) {
    say(source, "The source of ");
    quote(source, source->collection->name);
    say(source, ", ");
    quote(source, source->collection->source);
    say(source, ", ");
}

static int open_directory(const char *path) {
    /* The owner's own path: it may lead through symlinks. */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Is `mount` the directory `path` or one above it? By their names: both come from the configuration. */
static bool leads_to(const char *mount, const char *path) {
    size_t len = strlen(mount);
    while (len > 0 && mount[len - 1] == '/')
        len--;
    return mount[0] == '/' && strncmp(mount, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int open_source(struct source *source) {
    const char *path = source->collection->source;
    int fd = path[0] == '/' ? open_directory(path) : -EINVAL;
    if (fd >= 0)
        return fd;
    begin(source);
    if (fd == -ENOENT)
        say(source, "does not exist. Mount it, or correct `source` in the configuration.");
    else if (fd == -ENOTDIR)
        say(source, "is not a directory. Correct `source` in the configuration.");
    else if (fd == -EINVAL)
        say(source, "is not an absolute path. Correct `source` in the configuration.");
    else
        td_buf_printf(source->why, "cannot be opened: %s. Look into that first.", strerror(-fd));
    return -ENOENT;
}

static bool is_mounted(struct source *source) {
    const char *mount = source->collection->source_mount;
    if (mount == NULL)
        return true;
    if (!leads_to(mount, source->collection->source)) {
        begin(source);
        say(source, "is not below its `source_mount` ");
        quote(source, mount);
        say(source, ". Correct the configuration.");
        return false;
    }
    TD_AUTOCLOSE int fd = open_directory(mount);
    int root = fd < 0 ? fd : td_mount_is_root(fd);
    if (root > 0)
        return true;
    begin(source);
    say(source, "is not mounted: ");
    quote(source, mount);
    if (root < 0)
        td_buf_printf(source->why, " cannot be looked at (%s). Mount it first.", strerror(-root));
    else
        say(source, " is not a mount point. Mount it first.");
    return false;
}

/* The device below the source; false where it has none of its own (btrfs, overlay, a network). */
static bool find_device(const struct source *source, struct td_blockdev *out) {
    struct stat st;
    return fstat(source->fd, &st) == 0 && major(st.st_dev) != 0 && td_blockdev_from_number(st.st_dev, out, NULL) == 0;
}

static bool is_demanded_filesystem(struct source *source) {
    const char *uuid = source->collection->source_uuid;
    struct td_blockdev device;
    struct td_filesystem fs = {0};
    if (uuid == NULL)
        return true;
    if (!find_device(source, &device) || td_blkid_probe(&device, &fs, NULL) < 0) {
        begin(source);
        say(source, "lies on a filesystem whose UUID cannot be told, and the configuration demands ");
        quote(source, uuid);
        say(source, ". Use `source_mount` instead of `source_uuid`.");
        return false;
    }
    if (strcasecmp(fs.uuid, uuid) == 0)
        return true;
    begin(source);
    say(source, "lies on the filesystem ");
    quote(source, fs.uuid[0] != '\0' ? fs.uuid : "without a UUID");
    say(source, ", and the configuration demands ");
    quote(source, uuid);
    say(source, ". Mount the right one.");
    return false;
}

static bool is_elsewhere(struct source *source) {
    struct td_blockdev device;
    if (source->seen == NULL || !find_device(source, &device))
        return true;
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_slot *slot = &source->seen->slots[s];
        if (!slot->present || slot->disk.disk_number != device.disk_number)
            continue;
        begin(source);
        td_buf_printf(source->why, "lies on the disk in the %s slot itself. ", td_slot_names[s]);
        say(source, "Correct `source` in the configuration, or take that disk out of the dock.");
        return false;
    }
    return true;
}

static void close_directory(DIR *const *dir) {
    if (*dir != NULL)
        closedir(*dir);
}

static bool counts(const char *name) {
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "lost+found") != 0;
}

/* An array that failed to mount is an empty directory, and a mirror of it would be an empty backup. */
static bool holds_something(struct source *source) {
    int fd = openat(source->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __attribute__((cleanup(close_directory))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL && fd >= 0)
        close(fd);
    errno = dir == NULL ? errno : 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (counts(entry->d_name))
            return true;
    }
    int failed = errno;
    begin(source);
    if (failed != 0)
        td_buf_printf(source->why, "cannot be read: %s. Look into that first.", strerror(failed));
    else
        say(source, "is empty. Mount it, or put its files back, before it is backed up again.");
    return false;
}

int td_source_open(const struct td_collection_config *collection, const struct td_observation *seen, struct td_buf *why,
                   struct td_error *err) {
    struct source source = {collection, seen, -1, why};
    if (collection->source == NULL)
        return td_fail_text(err, EINVAL, "collection %s has no source", collection->name);
    TD_AUTOCLOSE int fd = open_source(&source);
    if (fd < 0)
        return fd;
    source.fd = fd;
    if (!is_mounted(&source) || !is_demanded_filesystem(&source) || !is_elsewhere(&source) || !holds_something(&source))
        return -ENOENT;
    return td_take_fd(&fd);
}
