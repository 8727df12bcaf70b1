#include "twindock/run/halves.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/platform/ext4_used.h"
#include "twindock/platform/mount.h"
#include "twindock/report/progress.h"
#include "twindock/sync/compare.h"
#include "twindock/sync/hash.h"
#include "twindock/sync/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_EVERY_NS 5000000000LL
#define NS_PER_S 1000000000LL

struct comparing {
    const struct td_app *app;
    const struct td_docking *docking;
    struct td_ledger *ledger;
    int64_t run;
    struct td_halves *halves;
    struct td_ext4_used *used; /* NULL: everything */
    uint64_t told;             /* bytes that next_range has told */
    bool all_told;
    struct td_progress *progress;
    struct td_progress_state shown;
    int64_t noted_ns;
};

/* --- the comparison -------------------------------------------------------------------------------------- */

static int next_range(void *ctx, struct td_range *out, struct td_error *err) {
    struct comparing *comparing = ctx;
    if (comparing->used != NULL)
        return td_ext4_used_next(comparing->used, out, err);
    if (comparing->all_told)
        return 0;
    comparing->all_told = true;
    *out = (struct td_range){0, comparing->halves->size};
    return 1;
}

static void note_difference(void *ctx, const struct td_range *where) {
    struct td_halves *halves = ((struct comparing *)ctx)->halves;
    struct td_range *last = halves->places > 0 ? &halves->place[halves->places - 1] : NULL;
    if (last != NULL && last->start + last->length == where->start)
        last->length += where->length;
    else if (halves->places < TD_HALVES_PLACES)
        halves->place[halves->places++] = *where;
}

static void note_unreadable(void *ctx, int disk, const struct td_range *where) {
    struct td_halves *halves = ((struct comparing *)ctx)->halves;
    if (halves->unreadable[disk] == 0)
        halves->first_unreadable[disk] = where->start;
    halves->unreadable[disk] += where->length;
}

/* The member in a slot as a side; two disks that are not enrolled yet are A and B as they stand. */
static enum td_side side_of(const struct td_docking *docking, int slot) {
    const struct td_match_result *match = &docking->judgement.slots[slot];
    return match->match == TD_MATCH_MEMBER ? (enum td_side)(TD_A + match->member) : (enum td_side)(TD_A + slot);
}

static void show(void *ctx, const uint64_t done[2]) {
    struct comparing *comparing = ctx;
    int64_t now = td_boot_ns();
    for (int slot = 0; slot < TD_SLOTS; slot++)
        comparing->shown.side[side_of(comparing->docking, slot)].done = done[slot];
    comparing->shown.done = done[0] + done[1];
    td_progress_show(comparing->progress, &comparing->shown, now);
    if (comparing->run == 0 || now - comparing->noted_ns < NOTE_EVERY_NS)
        return;
    comparing->noted_ns = now;
    struct td_error ignored; /* a nicety */
    td_ledger_run_progress(comparing->ledger, comparing->run, comparing->shown.phase, comparing->shown.done,
                           comparing->shown.all, &ignored);
}

static void begin_progress(struct comparing *comparing) {
    uint64_t all = comparing->used != NULL ? td_ext4_used_estimate(comparing->used) : comparing->halves->size;
    comparing->shown = (struct td_progress_state){.phase = "comparing", .all = 2 * all};
    for (int slot = 0; slot < TD_SLOTS; slot++)
        comparing->shown.side[side_of(comparing->docking, slot)] =
            (struct td_progress_side){.active = true, .all = all};
    comparing->progress = td_progress_new(STDERR_FILENO, false);
}

/* The disk that was judged, opened so that reads bypass the cache. */
static int open_disk(const struct td_slot *slot, struct td_error *err) {
    const struct td_blockdev *device = &slot->fs.device;
    struct td_blockdev now;
    struct stat st;
    TD_AUTOCLOSE int fd = open(device->node, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", device->node);
    if (fstat(fd, &st) != 0)
        return td_fail(err, errno, "cannot stat %s", device->node);
    int rc = td_blockdev_from_number(st.st_rdev, &now, err);
    if (rc != 0)
        return rc;
    if (st.st_rdev != device->number || now.diskseq != device->diskseq || now.size != device->size)
        return td_fail_text(err, ENXIO, "%s is another disk than the one that was judged", device->node);
    return td_take_fd(&fd);
}

/* What is compared: what the filesystems use, or everything where that cannot be told. */
static int choose_ranges(struct comparing *comparing, const int fd[2], bool every_block, struct td_error *err) {
    struct td_halves *halves = comparing->halves;
    const struct td_slot *slots = comparing->docking->seen.slots;
    uint64_t a = slots[0].fs.device.size, b = slots[1].fs.device.size;
    struct td_error why = {0};
    halves->size = a < b ? a : b;
    halves->every_block = true;
    int rc = every_block ? 0 : td_ext4_used_open(fd, TD_SLOTS, &comparing->used, &why);
    if (rc != 0 && rc != -EINVAL && rc != -EXDEV && rc != -EUCLEAN && rc != -EIO) {
        *err = why;
        return rc;
    }
    if (comparing->used != NULL && td_ext4_used_size(comparing->used) > halves->size) {
        td_fail_text(&why, EXDEV, "the filesystem is larger than the device");
        td_ext4_used_close(comparing->used);
        comparing->used = NULL;
    }
    halves->every_block = comparing->used == NULL;
    if (!every_block && halves->every_block)
        snprintf(halves->whole, sizeof halves->whole, "%.*s", (int)sizeof halves->whole - 1, why.text);
    return 0;
}

int td_halves_compare(const struct td_app *app, const struct td_docking *docking, struct td_ledger *ledger, int64_t run,
                      bool every_block, struct td_halves *out, struct td_error *err) {
    struct comparing comparing = {.app = app, .docking = docking, .ledger = ledger, .run = run, .halves = out};
    struct td_compare_result result = {.lost = -1};
    int64_t began = td_boot_ns();
    *out = (struct td_halves){.lost = -1};
    TD_AUTOCLOSE int source = open_disk(&docking->seen.slots[TD_SLOT_SOURCE], err);
    TD_AUTOCLOSE int destination = source < 0 ? source : open_disk(&docking->seen.slots[TD_SLOT_DESTINATION], err);
    if (destination < 0)
        return destination;
    const int fd[2] = {source, destination};
    int rc = choose_ranges(&comparing, fd, every_block, err);
    if (rc != 0)
        return rc;
    begin_progress(&comparing);
    struct td_compare_options options = {
        .fd = {source, destination},
        .size = out->size,
        .next = next_range,
        .differs = note_difference,
        .unreadable = note_unreadable,
        .progress = show,
        .cancel = &app->stop->now,
        .ctx = &comparing,
    };
    rc = td_compare(&options, &result, err);
    out->compared = result.compared;
    out->different = result.different;
    out->lost = result.lost;
    out->seconds = (td_boot_ns() - began) / NS_PER_S;
    td_progress_clear(comparing.progress);
    td_progress_free(comparing.progress);
    td_ext4_used_close(comparing.used);
    return rc;
}

bool td_halves_same(const struct td_halves *halves) {
    return halves->different == 0 && halves->unreadable[0] == 0 && halves->unreadable[1] == 0 && halves->lost < 0;
}

void td_halves_free(struct td_halves *halves) {
    for (size_t i = 0; i < halves->files; i++)
        free(halves->file[i].path);
    halves->files = 0;
}

/* --- names ----------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b) {
    const struct td_half_file *one = a, *two = b;
    return strcmp(one->path, two->path);
}

static int note_file(void *ctx, const char *path, size_t place) {
    struct td_halves *halves = ctx;
    const char *name = path[0] == '\0' ? "." : path;
    for (size_t i = 0; i < halves->files; i++) /* the other half has it in the same place */
        if (strcmp(halves->file[i].path, name) == 0)
            return 0;
    if (halves->files == TD_HALVES_FILES) {
        halves->more_files++;
        return 0;
    }
    char *copy = strdup(name);
    if (copy != NULL)
        halves->file[halves->files++] = (struct td_half_file){.path = copy, .offset = halves->place[place].start};
    return 0;
}

/* The collection's files are known to the ledger by their path below the target directory; NULL: not one of them. */
static const char *below_target(const char *path, const char *target) {
    size_t len = strlen(target);
    if (strcmp(target, ".") == 0)
        return strncmp(path, ".twindock/", 10) == 0 ? NULL : path;
    return strncmp(path, target, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static void judge_file(struct td_ledger *ledger, int64_t pair, const char *target, const int root[2], void *buffer,
                       struct td_half_file *file) {
    struct td_file known;
    const char *path = below_target(file->path, target);
    if (path == NULL || td_ledger_file(ledger, pair, path, &known, NULL) != 0 || !known.has_hash)
        return;
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        struct td_hash_result result;
        if (root[slot] < 0)
            continue;
        td_hash_file(root[slot], file->path, buffer, &result);
        bool right = result.error == 0 && !result.changing && memcmp(result.hash, known.hash, TD_HASH_LEN) == 0;
        file->word[slot] = right ? TD_HALF_RIGHT : TD_HALF_WRONG;
    }
}

void td_halves_name(const struct td_app *app, const struct td_docking *docking, struct td_ledger *ledger, int64_t pair,
                    const char *target, struct td_halves *halves) {
    int root[TD_SLOTS] = {-1, -1};
    struct td_write_protection hold[TD_SLOTS];
    TD_AUTOFREE void *buffer = td_buffer_new(TD_READ_SIZE);
    if (halves->places == 0 || buffer == NULL)
        return;
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        struct td_error ignored = {0};
        root[slot] = td_mount_read_only(&docking->seen.slots[slot].fs.device, &hold[slot], &ignored);
        if (root[slot] >= 0)
            td_locate(root[slot], halves->place, halves->places, &app->stop->now, note_file, halves, &ignored);
    }
    qsort(halves->file, halves->files, sizeof halves->file[0], by_path);
    for (size_t i = 0; i < halves->files && !td_stop_asked(app->stop); i++)
        judge_file(ledger, pair, target, root, buffer, &halves->file[i]);
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        if (root[slot] < 0)
            continue;
        close(root[slot]);
        td_blockdev_wait_free(docking->seen.slots[slot].fs.device.node, 10000, NULL);
        td_write_protect_end(&hold[slot]);
    }
}
