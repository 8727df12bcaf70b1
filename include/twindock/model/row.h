/*
 * One path as all witnesses have it: what the planner is shown. The ledger's working tables make the rows, the
 * planner in sync/ judges them, the run passes them on. Rows come in the order of their paths as bytes, so that a
 * directory comes before what is in it.
 */
#ifndef TWINDOCK_MODEL_ROW_H
#define TWINDOCK_MODEL_ROW_H

#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stdint.h>

/* What the ledger has of a path: the source as it was when it was last believed, and what was proven when. */
struct td_file {
    struct td_entry entry; /* entry.path, metadata of the source; error is 0 */
    bool has_hash;         /* regular files with a known SHA-256 */
    uint8_t hash[TD_HASH_LEN];
    bool held;                   /* source rot is being held */
    bool accepted;               /* somebody said that the source is right: members hold what was right before */
    int64_t cycle[TD_SIDES];     /* proof cycle in which each side's copy was last proven, 0: never */
    int64_t proven_at[TD_SIDES]; /* wall seconds of it, 0: never */
    unsigned had;                /* set of the members that ever had this content, by this path or another; and of the
                                    members whose copy was last found bad and not proven since, as TD_HAD_BAD(side) */
};
#define TD_HAD_BAD(side) (TD_SIDE_BIT(side) << 4)

struct td_row {
    const char *path;
    const struct td_entry *side[TD_SIDES]; /* NULL: not there */
    const struct td_file *ledger;          /* NULL: no entry */
    const char *leader;     /* the first path of the source's hard link group; NULL: no group, or this is the first */
    bool linked[TD_SIDES];  /* member: this path and `leader` share one inode on it */
    bool tangled[TD_SIDES]; /* member: shares its inode with an earlier path that is not of the same group */
    bool shielded;          /* something above it could not be read in the source: its absence means nothing */
};

/* What is to be done on one member for one path. */
enum td_action {
    TD_ACT_NONE,
    TD_ACT_MKDIR,      /* make a directory (replacing what is there) */
    TD_ACT_COPY,       /* regular file: copy the content, replace */
    TD_ACT_SPECIAL,    /* symlink, device, fifo, socket: make anew, replace */
    TD_ACT_ATTRIBUTES, /* content is right, owner, mode, times or xattrs are not (not for directories: they are last) */
    TD_ACT_LINK,       /* hard link to `leader`, replacing what is there */
    TD_ACT_MOVE,       /* content is on the member under another path that goes away */
    TD_ACT_DELETE,     /* into history */
    TD_ACT_ENTER,      /* the members are right, the ledger is not: nothing is done on a disk, nothing is told */
    TD_ACTIONS
};
extern const char
    *const td_action_names[TD_ACTIONS]; /* "mkdir" "copy" "special" "attributes" "link" "move" "delete" "enter" */

/* Why: what --dry-run prints. */
enum td_why {
    TD_WHY_NONE,
    TD_WHY_NEW,     /* not on the member */
    TD_WHY_EDITED,  /* the source has a new size or mtime */
    TD_WHY_STALE,   /* the member missed earlier runs */
    TD_WHY_ALTERED, /* the source matches the ledger, the member's size, mtime or kind does not */
    TD_WHY_MISSING, /* this very content was proven on the member, and is not there */
    TD_WHY_TYPE,    /* another kind of file */
    TD_WHY_LINKS,   /* hard links differ */
    TD_WHY_ATTRIBUTES,
    TD_WHY_GONE,   /* not in the source any more */
    TD_WHY_REPAIR, /* judged in the proof */
    TD_WHYS
};
extern const char *const td_why_names[TD_WHYS];

#endif
