/*
 * What is in a dock, as seen without writing a byte. A disk is mounted (read-only, journal not replayed) only
 * when its UUID is enrolled and its drive, where it can be told, is an enrolled one; only to read its card.
 */
#ifndef TWINDOCK_DOCK_OBSERVE_H
#define TWINDOCK_DOCK_OBSERVE_H

#include "twindock/base/error.h"
#include "twindock/model/config.h"
#include "twindock/model/pair.h"
#include "twindock/platform/blkid.h"
#include "twindock/platform/ext4.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum td_slot_name { TD_SLOT_SOURCE, TD_SLOT_DESTINATION, TD_SLOTS };
extern const char *const td_slot_names[TD_SLOTS]; /* "source", "destination" */

enum td_card_state {
    TD_CARD_UNREAD, /* not looked for: not ours to mount, or (then `problem` says so) in use by something else */
    TD_CARD_ABSENT,
    TD_CARD_BAD, /* unreadable, or no card; also when the filesystem could not be mounted */
    TD_CARD_READ,
    TD_CARD_DUE /* there is none yet, and `card` is what it will be: a mirrored pair that was only compared so far, its
                   superblock still as it was then */
};

struct td_slot {
    bool present;            /* a disk with a medium is there */
    struct td_blockdev disk; /* the whole disk, also where the slot is given as a partition's node */
    struct td_blockdev at;   /* what the slot leads to, and all that may be formatted: the disk, or that partition */
    struct td_identity identity;
    struct td_filesystem fs; /* type "": nothing recognised */
    bool blank;              /* nothing was recognised, and nothing is there (td_blockdev_is_blank of `at`) */
    bool super_read;         /* `super` is valid: fs.type is ext4 */
    struct td_ext4 super;
    enum td_card_state card_state;
    struct td_card card;
    char problem[256]; /* why something could not be read, for the sentence; "" */
};

struct td_observation {
    char dock[TD_NAME_MAX];
    enum td_mode mode;
    bool one_device; /* both slots resolve to one disk */
    struct td_slot slots[TD_SLOTS];
};

/*
 * Look at a dock now. `pairs` are the enrolled ones (not retired); only their UUIDs and drives are mounted. A disk that
 * cannot be read is reported in `problem`, not as an error; errors are for what makes looking impossible: a slot that
 * is no block device, or that udev cannot name for sure. Something else must keep other runs away from the dock.
 */
int td_observe(const struct td_dock_config *dock, const struct td_pair *pairs, size_t pair_count,
               struct td_observation *out, struct td_error *err);

/* Wait until both slots (the one, in mirror mode) have been occupied by the same media twice in a row one second apart,
 * or `settle` seconds have gone by; then observe. -EINTR when a signal came meanwhile. */
int td_observe_settled(const struct td_dock_config *dock, const struct td_pair *pairs, size_t pair_count,
                       struct td_observation *out, struct td_error *err);

/* The slots at a glance: no disk is opened. */
struct td_dock_glance {
    uint64_t medium[TD_SLOTS]; /* a number for the medium that is there, another one each time it is put in; 0: none */
    char node[TD_SLOTS][TD_NODE_MAX];
    bool full; /* every slot has one */
};
/* 0, or a negative errno: it cannot be told just now. */
int td_dock_glance(const struct td_dock_config *dock, struct td_dock_glance *out);

/* Does this device node (a disk or a partition of it) sit in one of the dock's slots? */
bool td_dock_has_node(const struct td_dock_config *dock, const char *node);

#endif
