/*
 * Files that went and came again with a further ending and with content that no program could compress: what is left
 * when something encrypts a tree. Programs that pack files do so, too, but their endings are known.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE (64U << 10)
#define SAMPLES 5000 /* files looked into; by then it is clear */

static const char *const packers[] = {"gz",   "bz2", "xz",   "zst",  "lz",  "lz4",  "lzma", "Z",   "zip",
                                      "7z",   "rar", "tgz",  "br",   "gpg", "age",  "asc",  "mp3", "jpg",
                                      "jpeg", "png", "webp", "flac", "ogg", "opus", "mp4",  "mkv"};

static bool is_packer(const char *ending) {
    for (size_t i = 0; i < sizeof packers / sizeof *packers; i++)
        if (strcasecmp(ending, packers[i]) == 0)
            return true;
    return false;
}

/* Was there, in the ledger, a file of this name without its last ending, and is it gone from the source? */
static int replaces_another(struct td_engine *engine, const char *path, struct td_error *err) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');
    struct td_entry now;
    struct td_file before;
    if (dot == NULL || dot == path || dot[-1] == '/' || is_packer(dot + 1))
        return 0;
    TD_AUTOFREE char *stem = strndup(path, (size_t)(dot - path));
    if (stem == NULL)
        return td_fail(err, ENOMEM, "planning");
    int rc = td_work_entry(engine->ledger, TD_SOURCE, stem, &now, err);
    if (rc != -ENOENT)
        return rc;
    rc = td_ledger_file(engine->ledger, engine->pair, stem, &before, err);
    return rc == -ENOENT ? 0 : rc != 0 ? rc : before.has_hash && before.entry.size > 0;
}

static bool looks_scrambled(struct td_engine *engine, const char *path, uint64_t size, unsigned char *sample) {
    TD_AUTOCLOSE int fd = td_open_beneath(engine->side[TD_SOURCE].root, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return false;
    ssize_t got = td_pread_all(fd, sample, SAMPLE, size > SAMPLE ? (off_t)(size - SAMPLE) / 2 : 0);
    return got > 0 && td_brake_scrambled(sample, (size_t)got);
}

int td_engine_count_scrambled(struct td_engine *engine, struct td_error *err) {
    TD_AUTOFREE unsigned char *sample = malloc(SAMPLE);
    struct td_cursor *cursor = NULL;
    struct td_work_op op;
    uint64_t looked = 0;
    int rc = sample == NULL ? td_fail(err, ENOMEM, "planning") : td_work_ops(engine->ledger, TD_ACT_COPY, &cursor, err);
    while (rc == 0 && looked < SAMPLES && (rc = td_work_next_op(cursor, &op, err)) > 0) {
        rc = op.why == TD_WHY_NEW ? replaces_another(engine, op.path, err) : 0;
        if (rc <= 0)
            continue;
        rc = td_stop_asked(engine->stop) ? -ECANCELED : 0;
        looked++;
        engine->brake.scrambled_files += looks_scrambled(engine, op.path, op.size, sample);
    }
    td_cursor_close(cursor);
    return rc > 0 ? 0 : rc;
}
