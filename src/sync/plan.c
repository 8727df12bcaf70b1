/* What one row means for one member. Each rule stands by itself; the first that applies decides. */
#include "twindock/sync/plan.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

struct facts {
    const struct td_row *row;
    enum td_side side;
    const struct td_entry *source; /* NULL: not there */
    const struct td_entry *member; /* NULL: not there */
};

static struct td_plan_step step(enum td_action action, enum td_why why) {
    return (struct td_plan_step){.action = action, .why = why};
}

static struct td_plan_step nothing(void) {
    return step(TD_ACT_NONE, TD_WHY_NONE);
}

static bool same_type(const struct td_entry *a, const struct td_entry *b) {
    return ((a->mode ^ b->mode) & S_IFMT) == 0;
}

static bool is_type(const struct td_entry *entry, mode_t type) {
    return (entry->mode & S_IFMT) == type;
}

/* The source's content is, by its size and times, what the ledger last believed. */
static bool source_matches_ledger(const struct facts *f) {
    return f->row->ledger && td_entry_same_content(f->source, &f->row->ledger->entry);
}

/* Why a member's content differs from the source's. */
static enum td_why why_content(const struct facts *f) {
    if (!source_matches_ledger(f))
        return TD_WHY_EDITED;
    return f->row->ledger->proven_at[f->side] == 0 ? TD_WHY_STALE : TD_WHY_ALTERED;
}

/* The ledger has this very content as proven on this member. */
static bool was_proven(const struct facts *f) {
    return is_type(f->source, S_IFREG) && source_matches_ledger(f) && f->row->ledger->proven_at[f->side] != 0;
}

/* Why something has to be made where the member has nothing, or something of another kind. */
static enum td_why why_absent(const struct facts *f) {
    return was_proven(f) ? TD_WHY_MISSING : TD_WHY_NEW;
}

static enum td_why why_type(const struct facts *f) {
    return was_proven(f) ? TD_WHY_ALTERED : TD_WHY_TYPE;
}

/* The source holds this file, but its bytes are known to have rotted: they may not reach a member. What is wrong
 * there is put right in the proof, from the other member. An edit since then ends it. */
static bool source_is_held(const struct facts *f) {
    return f->row->ledger && f->row->ledger->held && is_type(f->source, S_IFREG) && source_matches_ledger(f);
}

/* Somebody said that the source is right, and this member has what was right before, by the same size and times. */
static bool lacks_accepted(const struct facts *f) {
    return f->row->ledger && f->row->ledger->accepted && f->row->ledger->proven_at[f->side] == 0 &&
           is_type(f->source, S_IFREG) && source_matches_ledger(f);
}

/* Not in the source. The root is never deleted: a source without root is no source. */
static struct td_plan_step plan_gone(const struct facts *f) {
    if (!f->member || f->row->shielded || f->row->path[0] == '\0')
        return nothing();
    return step(TD_ACT_DELETE, TD_WHY_GONE);
}

static struct td_plan_step plan_directory(const struct facts *f) {
    if (!f->member)
        return step(TD_ACT_MKDIR, TD_WHY_NEW);
    if (!is_type(f->member, S_IFDIR))
        return step(TD_ACT_MKDIR, TD_WHY_TYPE);
    return nothing(); /* its attributes are set when everything in it is done */
}

/*
 * A further name of a hard link group.
 *
 * Where it shares its inode with the leader on the member, the leader's step makes the content right for both,
 * unless that step replaces the leader by a new inode: then this name must be linked again. The row does not show
 * the leader's step, but needs not:
 *   - in the source both names are one inode, so both rows show the same type, content and attributes;
 *   - on the member both names are one inode, so both rows show the same there too;
 *   - hence the content differs in this row if and only if it differs in the leader's, which is when the leader
 *     is copied or made anew for its content;
 *   - the leader is made anew for its links if its inode has an earlier name outside of the group. That name is
 *     earlier than this one as well (leaders come first) and shares this name's inode: this one is tangled, too.
 * Attributes belong to the inode and are set through the leader.
 */
static struct td_plan_step plan_follower(const struct facts *f) {
    if (!f->member)
        return step(TD_ACT_LINK, why_absent(f));
    if (!same_type(f->source, f->member))
        return step(TD_ACT_LINK, why_type(f));
    if (!f->row->linked[f->side] || f->row->tangled[f->side])
        return step(TD_ACT_LINK, TD_WHY_LINKS);
    if (!td_entry_kept_content(f->source, f->member) && !source_is_held(f))
        return step(TD_ACT_LINK, why_content(f));
    if (f->member->error != 0)
        return step(TD_ACT_LINK, TD_WHY_ALTERED); /* as the leader, see below */
    if (lacks_accepted(f))
        return step(TD_ACT_LINK, TD_WHY_EDITED);
    return nothing();
}

/* A regular file, or a symlink, device, fifo or socket; the first or only name of it. */
static struct td_plan_step plan_file(const struct facts *f) {
    enum td_action make = is_type(f->source, S_IFREG) ? TD_ACT_COPY : TD_ACT_SPECIAL;
    bool held = source_is_held(f);
    if (!f->member)
        return held ? nothing() : step(make, why_absent(f));
    if (f->member->error != 0) /* the member's inode or its attributes cannot be read: a new one takes its place */
        return held ? nothing() : step(make, TD_WHY_ALTERED);
    if (!same_type(f->source, f->member))
        return held ? nothing() : step(make, why_type(f));
    if (!td_entry_kept_content(f->source, f->member))
        return held ? nothing() : step(make, why_content(f));
    if (lacks_accepted(f))
        return step(make, TD_WHY_EDITED);
    if (f->row->tangled[f->side])
        return held ? nothing() : step(make, TD_WHY_LINKS);
    if (!td_entry_kept_attributes(f->source, f->member))
        return step(TD_ACT_ATTRIBUTES, TD_WHY_ATTRIBUTES);
    return nothing();
}

static struct td_plan_step plan_member(const struct facts *f) {
    if (!f->source)
        return plan_gone(f);
    if (is_type(f->source, S_IFDIR)) /* even if what is in it cannot be read: it is there, and a directory */
        return plan_directory(f);
    if (f->source->error != 0)
        return nothing();
    return f->row->leader ? plan_follower(f) : plan_file(f);
}

void td_plan_row(const struct td_row *row, unsigned members, struct td_plan *out) {
    *out = (struct td_plan){0};
    for (enum td_side side = TD_A; side <= TD_B; side++) {
        struct facts facts = {.row = row, .side = side, .source = row->side[TD_SOURCE], .member = row->side[side]};
        if (members & TD_SIDE_BIT(side))
            out->member[side] = plan_member(&facts);
    }
}
