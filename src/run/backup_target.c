/*
 * Has the collection got another directory on the members since they were last written? Their checksums tell: a path in
 * them is the directory's and the file's, and the ledger has the file by its own path, with the same SHA-256. Where
 * that says nothing for certain, nothing is concluded.
 */
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/platform/digest.h"
#include "twindock/run/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOOKED_AT 16384 /* bytes of the checksums: one path alone may have 4096 */
#define HEX ((size_t)2 * TD_HASH_LEN)

/* The first line whose path stands as it is: "<SHA-256>  <path>", without a backslash before it. false: there is none.
 */
static bool first_line(char *text, uint8_t hash[TD_HASH_LEN], char **path) {
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        if (*text == '\\' || strlen(text) < HEX + 3 || text[HEX] != ' ')
            continue;
        text[HEX] = '\0';
        *path = text + HEX + 2;
        return td_unhex(hash, TD_HASH_LEN, text);
    }
    return false;
}

static bool is_in_ledger(const struct td_backup *backup, const char *path, const uint8_t hash[TD_HASH_LEN]) {
    struct td_file file;
    return td_ledger_file(backup->ledger, backup->pair->id, path, &file, NULL) == 0 && file.has_hash &&
           memcmp(file.hash, hash, TD_HASH_LEN) == 0;
}

/* The directory that the path began with; NULL: that of today, or nothing is certain. Cuts `path`. */
static const char *old_target(const struct td_backup *backup, char *path, const uint8_t hash[TD_HASH_LEN]) {
    const char *target = backup->collection->target;
    char *cut = NULL;
    bool whole = is_in_ledger(backup, path, hash);
    if (whole && strcmp(target, ".") == 0)
        return NULL;
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (!is_in_ledger(backup, slash + 1, hash))
            continue;
        if (strlen(target) == (size_t)(slash - path) && strncmp(path, target, strlen(target)) == 0)
            return NULL;
        cut = slash;
    }
    if (cut == NULL)
        return whole ? "." : NULL;
    *cut = '\0';
    return path;
}

int td_backup_look_for_target(struct td_backup *backup, enum td_side side, struct td_error *err) {
    struct td_engine *engine = &backup->engine;
    TD_AUTOBUF struct td_buf detail = {0};
    char text[LOOKED_AT + 1], *path;
    uint8_t hash[TD_HASH_LEN];
    int store = backup->docking.mounted[side].store;
    if (engine->moved[side] || store < 0)
        return 0;
    TD_AUTOCLOSE int fd = openat(store, "SHA256SUMS", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : td_pread_all(fd, text, LOOKED_AT, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    const char *old = first_line(text, hash, &path) ? old_target(backup, path, hash) : NULL;
    if (old == NULL)
        return 0;
    engine->moved[side] = true;
    td_buf_puts(&detail, "it was backed up to ");
    td_escape_text(&detail, strcmp(old, ".") == 0 ? "the root of the disk" : old);
    td_buf_puts(&detail, " before, which is no longer read; see target in twindock.conf(5)");
    return td_engine_incident(engine, TD_INCIDENT_NOTED, TD_CAUSE_LEFT_OUT, "", side, td_buf_text(&detail), err);
}
