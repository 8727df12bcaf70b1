/*
 * A dock opened for work: locked, looked at, judged; its members mounted, read-only or for writing. Closing it unmounts
 * everything and gives the locks back.
 */
#ifndef TWINDOCK_RUN_DOCKING_H
#define TWINDOCK_RUN_DOCKING_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/dock/verdict.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/config.h"
#include "twindock/model/entry.h"
#include "twindock/platform/write_protection.h"
#include "twindock/report/document.h"

#include <stdbool.h>
#include <stddef.h>

struct td_mounted {
    int root;                        /* of the filesystem */
    int collection;                  /* the target directory below it; -1: not there yet */
    int store;                       /* .twindock; -1: not there */
    struct td_write_protection hold; /* while it is mounted read-only */
};

struct td_docking {
    const struct td_config *config;
    const struct td_dock_config *dock;
    struct td_pair *pairs; /* all enrolled ones */
    size_t pair_count;
    struct td_observation seen;
    struct td_judgement judgement;
    int lock, pair_lock;
    int device_lock[TD_SLOTS];
    struct td_mounted mounted[TD_SIDES]; /* TD_A, TD_B */
};

enum td_look { TD_LOOK_ONCE, TD_LOOK_SETTLED, TD_LOOK_NOW };

/* Everything closed: nothing to give back. */
void td_docking_init(struct td_docking *docking, const struct td_config *config, const struct td_dock_config *dock);

/* Lock the dock for this process: -EALREADY when another run holds it. */
int td_docking_lock(struct td_docking *docking, struct td_error *err);

/* Keep runs of one pair apart. Its two members may sit in two docks, and both runs would write the same rows of the
 * ledger. A descriptor that holds the lock, -EALREADY when another run has it. */
int td_docking_lock_pair(const struct td_config *config, const struct td_pair *pair, struct td_error *err);

/* Look and judge. TD_LOOK_ONCE does not wait for a second disk when both slots are empty. Disks seen are locked. */
int td_docking_look(struct td_docking *docking, struct td_ledger *ledger, enum td_look look,
                    const struct td_policy *policy, struct td_error *err);

/* The policy of a dock's configuration. */
struct td_policy td_docking_policy(const struct td_docking *docking, bool accept_ahead);

/* The slot in which a member sits, NULL when it is not docked. */
const struct td_slot *td_docking_slot(const struct td_docking *docking, enum td_side side);

/* The half of a mirrored pair that a dock in mirror mode writes to and does not show. */
bool td_docking_hides(const struct td_docking *docking, enum td_side side);
/* A member's state when a run begins: "untouched", "absent", "unseen". */
const char *td_docking_first_state(const struct td_docking *docking, enum td_side side);
/* Is the disk that was seen there still in its slot: the same medium? Asks the kernel, not the disk. */
bool td_docking_is_there(const struct td_docking *docking, enum td_side side);
/* The members docked, as td_ledger_run_safe wants them: "A 8:17/12 B 8:33/13". */
void td_docking_list_disks(const struct td_docking *docking, struct td_buf *out);

/* A journal or a list of orphans was left by a power cut. `slot` may be NULL. */
bool td_docking_dirty(const struct td_slot *slot);

/* Before a member is written to: is its disk still the one that was judged? 0, -ENXIO, or why it cannot be told. */
int td_docking_same_medium(const struct td_docking *docking, enum td_side side, struct td_error *err);

/* Mount the members that are docked; for writing, also make the target directory and .twindock. -ENOTDIR: something
 * else stands in the place of one of them. */
int td_docking_mount(struct td_docking *docking, const char *target, bool read_only, struct td_error *err);
/* One member alone. */
int td_docking_mount_side(struct td_docking *docking, enum td_side side, const char *target, bool read_only,
                          struct td_error *err);
/* Is what mounting one member has failed of a fault of that member, so that the other can be served? Something stands
 * in the way (-ENOTDIR), or cannot be read. */
bool td_docking_own_fault(int rc);
/* Sync and close one member; the device is free afterwards. -EBUSY when it does not become free. */
int td_docking_unmount(struct td_docking *docking, enum td_side side, struct td_error *err);
void td_docking_close(struct td_docking *docking);

/* Is something of the disk in this slot in use, by others than us: another partition of it that is mounted? For disks
 * that are closed. */
bool td_docking_in_use(const struct td_docking *docking, int slot);
/* Append the sentence about such a disk. */
void td_docking_say_in_use(int slot, struct td_buf *text);
/* The disks were read, not written, and are closed: may they be taken out? The sentence, in `text`; what it says of
 * those that may is kept in the ledger (NULL: is not). */
const char *td_docking_safe(const struct td_docking *docking, struct td_ledger *ledger, int64_t run,
                            struct td_buf *text);

/* Where all else is ok: a member whose device takes no writing (a switch, a jumper) makes the verdict TD_UNCLEAN, with
 * `write_protected` set. To be asked before anything is mounted. */
void td_docking_judge_protection(struct td_docking *docking);

/* What `check` says about the dock. Texts are malloc'ed; free with td_docking_check_free. */
void td_docking_check(const struct td_docking *docking, struct td_check *out);
void td_docking_check_free(struct td_check *check);

#endif
