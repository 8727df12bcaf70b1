/*
 * Names of one inode of the source. What is proven of one of them on a member is proven of the others as far as they
 * are one inode there, too: a name may be missing on the member, or be a file of its own, because it could not be
 * linked or because somebody has replaced it. Such a name is read by itself.
 */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/run/engine.h"
#include "twindock/sync/attributes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct links {
    struct td_engine *engine;
    const char *leader;
    struct td_file known; /* of the leader */
    struct td_error *err;
};

/* Is `path` on this side the leader's inode? 1, 0, or a negative errno. */
static int is_linked(const struct links *links, enum td_side side, const char *path) {
    struct td_ledger *ledger = links->engine->ledger;
    struct td_entry leader, entry;
    if (!links->engine->side[side].alive)
        return 0;
    int rc = td_work_entry(ledger, side, links->leader, &leader, links->err);
    if (rc == 0)
        rc = td_work_entry(ledger, side, path, &entry, links->err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    return leader.dev == entry.dev && leader.ino == entry.ino;
}

static int enter_link(void *ctx, const char *path) {
    struct links *links = ctx;
    struct td_engine *engine = links->engine;
    struct td_file file = links->known, old;
    int rc = td_ledger_file(engine->ledger, engine->pair, path, &old, links->err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    bool same = rc == 0 && old.has_hash && memcmp(old.hash, file.hash, TD_HASH_LEN) == 0;
    for (int side = TD_A; side <= TD_B; side++) {
        unsigned bits = TD_SIDE_BIT(side) | TD_HAD_BAD(side);
        int linked = is_linked(links, (enum td_side)side, path);
        if (linked < 0)
            return linked;
        if (linked)
            continue;
        file.cycle[side] = same ? old.cycle[side] : 0;
        file.proven_at[side] = same ? old.proven_at[side] : 0;
        file.had = (file.had & ~bits) | (same ? old.had & bits : 0);
    }
    rc = td_work_entry(engine->ledger, TD_SOURCE, path, &file.entry, links->err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    /* As the leader has it: where the source has not been read since its ctime moved, that must stay visible under each
     * of its names, or what somebody has edited will look like rot. */
    file.entry.ctime = links->known.entry.ctime;
    return td_ledger_put_file(engine->ledger, engine->pair, &file, links->err);
}

int td_engine_enter_links(struct td_engine *engine, const char *leader, struct td_error *err) {
    struct links links = {.engine = engine, .leader = leader, .err = err};
    struct td_entry scanned;
    int rc = td_work_entry(engine->ledger, TD_SOURCE, leader, &scanned, err);
    if (rc != 0 || scanned.nlink < 2)
        return rc == -ENOENT ? 0 : rc;
    rc = td_ledger_file(engine->ledger, engine->pair, leader, &links.known, err);
    if (rc != 0 || !links.known.has_hash)
        return rc == -ENOENT ? 0 : rc;
    return td_work_followers(engine->ledger, leader, enter_link, &links, err);
}

int td_engine_look_again(struct td_engine *engine, const struct td_op_done *done, struct td_error *err) {
    struct td_entry entry;
    const char *name;
    int rc = td_work_entry(engine->ledger, TD_SOURCE, done->path, &entry, err);
    if (rc != 0 || !S_ISREG(entry.mode) || entry.nlink < 2)
        return rc == -ENOENT ? 0 : rc;
    TD_AUTOCLOSE int dir = td_open_parent(engine->side[done->side].root, done->path, &name);
    if (dir < 0 || td_entry_read(dir, name, &entry) != 0)
        return 0; /* the member is going: as it was seen before it does for that */
    free((char *)(uintptr_t)entry.target);
    entry.target = NULL;
    entry.path = done->path;
    return td_work_scan(engine->ledger, done->side, &entry, err);
}
