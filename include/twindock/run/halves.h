/* The two disks of a dock compared block by block: what `check --full` does with a mirrored pair, and `enroll` before
 * it takes two disks for one. Reads only. */
#ifndef TWINDOCK_RUN_HALVES_H
#define TWINDOCK_RUN_HALVES_H

#include "twindock/base/range.h"
#include "twindock/ledger/ledger.h"
#include "twindock/platform/json.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_HALVES_PLACES 1000 /* differing stretches that are remembered */
#define TD_HALVES_FILES 50    /* files on them that are named */

/* What a file's copy is, by the ledger's hash. */
enum td_half_word { TD_HALF_UNKNOWN, TD_HALF_RIGHT, TD_HALF_WRONG };

struct td_half_file {
    char *path;                /* below the filesystem's root; "." is the root itself */
    uint64_t offset;           /* of the first difference in it, on the device */
    enum td_half_word word[2]; /* index: slot */
};

struct td_halves {
    bool every_block;
    char whole[192];        /* why everything was compared although it was not asked for; "" */
    uint64_t size;          /* bytes of what was looked over */
    uint64_t compared;      /* bytes read on both */
    uint64_t different;     /* bytes of the sectors that differ */
    uint64_t unreadable[2]; /* bytes; index: slot, here and below */
    uint64_t first_unreadable[2];
    struct td_range place[TD_HALVES_PLACES];
    size_t places;
    struct td_half_file file[TD_HALVES_FILES];
    size_t files;
    uint64_t more_files;
    int lost; /* -1, or the slot whose disk is gone */
    int64_t seconds;
};

/* `run`: the ledger's number of it, for --info; 0: none. Every block, or what either of the filesystems uses. 0
 * whatever was found; -ECANCELED (stopped), -ENODEV (*lost says which), or an error. */
int td_halves_compare(const struct td_app *app, const struct td_docking *docking, struct td_ledger *ledger, int64_t run,
                      bool every_block, struct td_halves *out, struct td_error *err);
/* Name the files in which they differ and ask the ledger's hashes whose copy is right. `target`: the collection's
 * directory on the disks. Filesystems that cannot be mounted stay unnamed. */
void td_halves_name(const struct td_app *app, const struct td_docking *docking, struct td_ledger *ledger, int64_t pair,
                    const char *target, struct td_halves *halves);
void td_halves_free(struct td_halves *halves); /* what it points to */

/* Nothing differs and all of it could be read. */
bool td_halves_same(const struct td_halves *halves);
/* Words at the end: a sentence; a line for each file; and the JSON object "comparison". `letter`: of the member in each
 * slot. */
void td_halves_sentence(const struct td_halves *halves, const char *collection, const char letter[2],
                        struct td_buf *out);
void td_halves_list(const struct td_halves *halves, const char letter[2], struct td_buf *out);
struct td_json *td_halves_json(const struct td_halves *halves, const char letter[2]);

#endif
