/* How much room giving up the older history could make: asked before the first run is given up for something. */
#include "target_private.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TD_BLOCK 512 /* st_blocks counts in these */

/* A name of an inode that has several: the room is free only when all of them go. */
struct td_shared {
    ino_t ino;
    nlink_t links;
    uint64_t bytes;
};

struct td_spare {
    const char *except;
    uint64_t bytes;
    struct td_shared *shared;
    size_t count, size;
};

/* What td_history_drop_oldest() would take, sooner or later. */
static bool td_spare_counts(const struct td_spare *spare, const char *name) {
    if (spare->except && strcmp(name, spare->except) == 0)
        return false;
    return strspn(name, "0123456789") > 0 || strcmp(name, TD_RECOVERED) == 0;
}

/* Without memory for it the inode is left out: less is promised then. */
static void td_spare_share(struct td_spare *spare, const struct stat *st) {
    if (spare->count == spare->size) {
        size_t size = spare->size ? 2 * spare->size : 256;
        struct td_shared *grown = reallocarray(spare->shared, size, sizeof(*grown));
        if (!grown)
            return;
        spare->shared = grown;
        spare->size = size;
    }
    spare->shared[spare->count++] =
        (struct td_shared){.ino = st->st_ino, .links = st->st_nlink, .bytes = (uint64_t)st->st_blocks * TD_BLOCK};
}

static void td_spare_walk(struct td_target *target, FTS *fts, struct td_spare *spare) {
    FTSENT *entry;
    while ((entry = fts_read(fts)) && !atomic_load(&target->cancel)) {
        if (entry->fts_level == 1 && entry->fts_info != FTS_DP && !td_spare_counts(spare, entry->fts_name)) {
            fts_set(fts, entry, FTS_SKIP);
            continue;
        }
        bool seen = entry->fts_info == FTS_D || entry->fts_info == FTS_F || entry->fts_info == FTS_SL ||
                    entry->fts_info == FTS_DEFAULT;
        if (entry->fts_level < 1 || !seen)
            continue;
        if (entry->fts_info != FTS_D && entry->fts_statp->st_nlink > 1)
            td_spare_share(spare, entry->fts_statp);
        else
            spare->bytes += (uint64_t)entry->fts_statp->st_blocks * TD_BLOCK;
    }
}

static int td_by_inode(const void *a, const void *b) {
    const struct td_shared *left = a, *right = b;
    return (left->ino > right->ino) - (left->ino < right->ino);
}

/* The shared inodes all of whose names have been seen. */
static uint64_t td_spare_shared(const struct td_spare *spare) {
    uint64_t bytes = 0;
    if (spare->count > 0)
        qsort(spare->shared, spare->count, sizeof(spare->shared[0]), td_by_inode);
    for (size_t i = 0, names; i < spare->count; i += names) {
        for (names = 1; i + names < spare->count && spare->shared[i + names].ino == spare->shared[i].ino;)
            names++;
        if (names >= spare->shared[i].links)
            bytes += spare->shared[i].bytes;
    }
    return bytes;
}

uint64_t td_room_spare(struct td_target *target) {
    char history[64], quarantine[64];
    snprintf(history, sizeof(history), "/proc/self/fd/%d/" TD_HISTORY, target->options.store);
    snprintf(quarantine, sizeof(quarantine), "/proc/self/fd/%d/" TD_QUARANTINE, target->options.store);
    char *paths[] = {history, quarantine, NULL};
    struct td_spare spare = {.except = target->options.history};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!fts)
        return 0;
    td_spare_walk(target, fts, &spare);
    fts_close(fts);
    uint64_t bytes = spare.bytes + td_spare_shared(&spare);
    free(spare.shared);
    return bytes;
}
