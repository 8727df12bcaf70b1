/*
 * Both manifests are written as temporary files next to the ones in force, hashed on the way, and read back from the
 * medium before they take their places: a manifest that is itself wrong would be worse than an old one.
 */
#include "twindock/sync/manifest.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/digest.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FLUSH_AT (64U << 10) /* bytes */

struct part {
    const char *name, *temporary;
    int fd;
    bool made; /* the temporary file is there */
    uint64_t lines, written;
    struct td_buf pending;
    struct td_digest *digest;
    uint8_t hash[TD_HASH_LEN];
};

enum { SHORT, LONG, PARTS };

struct td_manifest {
    int store; /* a descriptor of its own */
    char *prefix;
    struct part part[PARTS];
};

static bool is_root(const char *prefix) {
    return *prefix == '\0' || strcmp(prefix, ".") == 0;
}

static void add_escaped(struct td_buf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\n')
            td_buf_puts(out, "\\n");
        else if (*text == '\r')
            td_buf_puts(out, "\\r");
        else if (*text == '\\')
            td_buf_puts(out, "\\\\");
        else
            td_buf_putc(out, *text);
    }
}

void td_manifest_line(struct td_buf *out, const uint8_t hash[TD_HASH_LEN], const char *prefix, const char *path) {
    char hex[2 * TD_HASH_LEN + 1];
    bool root = is_root(prefix);
    td_hex(hex, hash, TD_HASH_LEN);
    if (strpbrk(path, "\n\r\\") || (!root && strpbrk(prefix, "\n\r\\")))
        td_buf_putc(out, '\\');
    td_buf_puts(out, hex);
    td_buf_puts(out, "  ");
    if (!root) {
        add_escaped(out, prefix);
        td_buf_putc(out, '/');
    } else if (strcmp(path, "-") == 0) {
        td_buf_puts(out, "./"); /* a name of "-" alone is standard input to sha256sum */
    }
    add_escaped(out, path);
    td_buf_putc(out, '\n');
}

static int part_open(struct td_manifest *manifest, int which, const char *name, const char *temporary) {
    struct part *part = &manifest->part[which];
    *part = (struct part){.name = name, .temporary = temporary, .fd = -1};
    part->digest = td_digest_new(NULL);
    if (!part->digest || td_digest_start(part->digest) < 0)
        return -ENOMEM;
    if (td_sys.unlinkat(manifest->store, temporary, 0) < 0 && errno != ENOENT) /* left by a run that was cut off */
        return -errno;
    part->fd = td_open_beneath(manifest->store, temporary, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (part->fd < 0)
        return part->fd;
    part->made = true;
    return fchmod(part->fd, 0644) < 0 ? -errno : 0; /* whatever the umask */
}

static void part_close(struct td_manifest *manifest, struct part *part) {
    td_cleanup_fd(&part->fd);
    if (part->made)
        td_sys.unlinkat(manifest->store, part->temporary, 0);
    td_buf_free(&part->pending);
    td_digest_free(part->digest);
}

int td_manifest_begin(int store, const char *prefix, struct td_manifest **out, struct td_error *err) {
    struct td_manifest *manifest = calloc(1, sizeof(*manifest));
    *out = NULL;
    if (!manifest)
        return td_fail(err, ENOMEM, "cannot write the manifest");
    manifest->part[SHORT].fd = manifest->part[LONG].fd = -1;
    manifest->store = td_open_beneath(store, "", O_RDONLY | O_DIRECTORY, 0);
    manifest->prefix = strdup(prefix);
    int rc = manifest->store < 0 ? manifest->store : manifest->prefix ? 0 : -ENOMEM;
    if (rc == 0)
        rc = part_open(manifest, SHORT, TD_MANIFEST_NAME, "." TD_MANIFEST_NAME ".new");
    if (rc == 0)
        rc = part_open(manifest, LONG, TD_MANIFEST_LONG_NAME, "." TD_MANIFEST_LONG_NAME ".new");
    if (rc < 0) {
        td_manifest_cancel(manifest);
        return td_fail(err, -rc, "cannot write the manifest");
    }
    *out = manifest;
    return 0;
}

static int part_flush(struct part *part, struct td_error *err) {
    if (part->pending.len == 0)
        return 0;
    int rc = td_pwrite_all(part->fd, part->pending.data, part->pending.len, (off_t)part->written);
    if (rc == 0)
        rc = td_digest_add(part->digest, part->pending.data, part->pending.len);
    if (rc < 0)
        return td_fail(err, -rc, "cannot write %s", part->name);
    part->written += part->pending.len;
    td_buf_clear(&part->pending);
    return 0;
}

/* Length of the path as it would be opened, with its NUL. */
static size_t opened_size(const char *prefix, const char *path) {
    return (is_root(prefix) ? 0 : strlen(prefix) + 1) + strlen(path) + 1;
}

int td_manifest_add(struct td_manifest *manifest, const char *path, const uint8_t hash[TD_HASH_LEN],
                    struct td_error *err) {
    struct part *part = &manifest->part[opened_size(manifest->prefix, path) > PATH_MAX ? LONG : SHORT];
    td_manifest_line(&part->pending, hash, manifest->prefix, path);
    part->lines++;
    return part->pending.len >= FLUSH_AT ? part_flush(part, err) : 0;
}

/* Is the file `name` on the medium what was written? */
static bool is_on_medium(const struct td_manifest *manifest, const struct part *part, const char *name) {
    struct td_hash_result result;
    TD_AUTOFREE void *buffer = td_buffer_new(TD_READ_SIZE);
    if (!buffer)
        return false;
    td_hash_file(manifest->store, name, buffer, &result);
    return result.error == 0 && !result.changing && result.bytes == part->written &&
           memcmp(result.hash, part->hash, TD_HASH_LEN) == 0;
}

/* Put one part in force. An empty list of long paths means that there is no such file. */
static int part_commit(struct td_manifest *manifest, struct part *part, bool *changed, struct td_error *err) {
    if (part == &manifest->part[LONG] && part->lines == 0) {
        int gone = td_sys.unlinkat(manifest->store, part->name, 0);
        if (gone < 0 && errno != ENOENT)
            return td_fail(err, errno, "cannot remove %s", part->name);
        *changed |= gone == 0;
        return 0;
    }
    if (is_on_medium(manifest, part, part->name))
        return 0;
    if (td_sys.fsync(part->fd) < 0)
        return td_fail(err, errno, "cannot write %s", part->name);
    if (!is_on_medium(manifest, part, part->temporary))
        return td_fail_text(err, EIO, "%s does not read back as it was written", part->name);
    if (td_sys.renameat2(manifest->store, part->temporary, manifest->store, part->name, 0) < 0)
        return td_fail(err, errno, "cannot replace %s", part->name);
    part->made = false;
    *changed = true;
    return 0;
}

int td_manifest_commit(struct td_manifest *manifest, bool *changed, struct td_error *err) {
    int rc = 0;
    bool any = false;
    for (int i = 0; rc == 0 && i < PARTS; i++) {
        struct part *part = &manifest->part[i];
        rc = part_flush(part, err);
        if (rc == 0 && (rc = td_digest_end(part->digest, part->hash)) < 0)
            rc = td_fail(err, -rc, "cannot hash %s", part->name);
    }
    for (int i = PARTS - 1; rc == 0 && i >= 0; i--) /* the one that people read comes last */
        rc = part_commit(manifest, &manifest->part[i], &any, err);
    if (rc == 0 && any && td_sys.fsync(manifest->store) < 0)
        rc = td_fail(err, errno, "cannot write the manifest's directory");
    td_manifest_cancel(manifest);
    *changed = any;
    return rc;
}

void td_manifest_cancel(struct td_manifest *manifest) {
    if (!manifest)
        return;
    for (int i = 0; i < PARTS; i++)
        part_close(manifest, &manifest->part[i]);
    td_cleanup_fd(&manifest->store);
    free(manifest->prefix);
    free(manifest);
}
