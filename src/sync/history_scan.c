/* Looking at what lies in history/, and what its places say of themselves. */
#include "target_private.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TD_HEX (2 * TD_HASH_LEN)

/* What follows the run's name and a slash; "" when nothing does. */
static const char *td_below_run(const char *place) {
    const char *slash = strchr(place, '/');
    return slash ? slash + 1 : "";
}

static bool td_hash_text(const char *text, size_t len, uint8_t out[TD_HASH_LEN]) {
    char digits[TD_HEX + 1];
    if (len != TD_HEX)
        return false;
    memcpy(digits, text, TD_HEX);
    digits[TD_HEX] = '\0';
    return td_unhex(out, TD_HASH_LEN, digits);
}

void td_history_place(const char *place, struct td_place *out) {
    const char *below = td_below_run(place);
    *out = (struct td_place){.kind = TD_PLACE_WHOLE};
    if (strncmp(below, TD_DELTAS "/", strlen(TD_DELTAS) + 1) == 0) {
        const char *name = below + strlen(TD_DELTAS) + 1;
        if (strlen(name) == 2 * TD_HEX + 1 + strlen(TD_DELTA_SUFFIX) && name[TD_HEX] == '-' &&
            strcmp(name + 2 * TD_HEX + 1, TD_DELTA_SUFFIX) == 0 && td_hash_text(name, TD_HEX, out->hash) &&
            td_hash_text(name + TD_HEX + 1, TD_HEX, out->base))
            out->kind = TD_PLACE_DELTA;
    } else if (strncmp(below, TD_HOLDERS "/", strlen(TD_HOLDERS) + 1) == 0) {
        const char *name = below + strlen(TD_HOLDERS) + 1;
        size_t len = strlen(name);
        if (len == TD_HEX + 1 && name[TD_HEX] == 'd')
            len--;
        if (td_hash_text(name, len, out->hash))
            out->kind = TD_PLACE_ATTRIBUTES;
    }
}

/* The length of ".~<n>~" at `text`, 0: it is none. */
static size_t td_suffix_len(const char *text) {
    if (strncmp(text, ".~", 2) != 0)
        return 0;
    size_t digits = strspn(text + 2, "0123456789");
    return digits > 0 && text[2 + digits] == '~' ? digits + 3 : 0;
}

void td_history_path(const char *place, bool strip, struct td_buf *out) {
    const char *below = td_below_run(place);
    size_t prefix = td_suffix_len(below);
    if (prefix > 0 && below[prefix] == '/')
        below += prefix + 1;
    td_buf_clear(out);
    td_buf_puts(out, below);
    if (!strip)
        return;
    for (size_t at = out->len; at > 1; at--) {
        const char *tail = out->data + at - 1;
        size_t len = *tail == '.' ? td_suffix_len(tail) : 0;
        if (len > 0 && tail[len] == '\0' && tail[-1] != '/') {
            out->len = at - 1;
            out->data[out->len] = '\0';
            return;
        }
    }
}

struct td_history_walker {
    int (*each)(void *ctx, const struct td_history_found *found);
    void *ctx;
    struct td_error *err;
};

static int td_walk_dir(const struct td_history_walker *walker, int fd, const char *place);

static int td_walk_one(const struct td_history_walker *walker, int dir, const char *name, const char *place) {
    struct td_history_found found = {.place = place, .name = name, .dir = dir};
    struct td_place says;
    if (fstatat(dir, name, &found.st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : td_fail(walker->err, errno, "cannot read the history");
    td_history_place(place, &says);
    if (!S_ISDIR(found.st.st_mode) || says.kind == TD_PLACE_ATTRIBUTES)
        return walker->each(walker->ctx, &found);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? td_fail(walker->err, errno, "cannot read the history") : td_walk_dir(walker, fd, place);
}

/* Takes fd over. */
static int td_walk_dir(const struct td_history_walker *walker, int fd, const char *place) {
    DIR *dir = fdopendir(fd);
    int rc = 0;
    if (!dir) {
        rc = td_fail(walker->err, errno, "cannot read the history");
        close(fd);
        return rc;
    }
    struct dirent *entry;
    while (rc == 0 && (errno = 0, entry = readdir(dir))) {
        TD_AUTOBUF struct td_buf at = {0};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        td_buf_printf(&at, "%s/%s", place, entry->d_name);
        rc = td_walk_one(walker, dirfd(dir), entry->d_name, at.data);
    }
    closedir(dir);
    return rc;
}

int td_history_walk(int store, const char *run, int (*each)(void *ctx, const struct td_history_found *found), void *ctx,
                    struct td_error *err) {
    struct td_history_walker walker = {each, ctx, err};
    TD_AUTOBUF struct td_buf path = {0};
    td_buf_printf(&path, TD_HISTORY "/%s", run);
    int fd = td_open_beneath(store, path.data, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT)
        return 0;
    return fd < 0 ? td_fail(err, -fd, "cannot read the history") : td_walk_dir(&walker, fd, run);
}
