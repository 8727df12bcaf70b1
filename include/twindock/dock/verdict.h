/*
 * The judgement on a dock: a pure function of what was seen, what is enrolled and what is allowed. The rows stand in
 * the order of the specification; the first that applies is the verdict.
 */
#ifndef TWINDOCK_DOCK_VERDICT_H
#define TWINDOCK_DOCK_VERDICT_H

#include "twindock/base/buf.h"
#include "twindock/dock/observe.h"
#include "twindock/model/verdict.h"

#include <stdbool.h>
#include <stddef.h>

struct td_policy {
    bool slots_any, single_allow, accept_ahead;
    int prove_every;
};

/* How a slot's disk was recognised. */
enum td_match {
    TD_MATCH_NONE,  /* slot empty, or the disk belongs to no enrolled pair */
    TD_MATCH_PAIR,  /* the UUID of an enrolled pair, but neither member */
    TD_MATCH_MEMBER /* pair->members[member] */
};

struct td_match_result {
    enum td_match match;
    const struct td_pair *pair; /* into the caller's array */
    int member;                 /* 0: A, 1: B; when match is TD_MATCH_MEMBER */
    const char *rests_on;       /* "card" or "drive+card": what the recognition rests on; "" if none */
    bool bridged;               /* the serial told is not the one enrolled for its card, but one of the two is only a
                                   bridge's (TD_DRIVE_UNSURE): a member by its card alone, or no member for that */
    const char *why;            /* TD_MATCH_PAIR: "it has no card", for the sentence; "" otherwise. Static text */
};

/* Whose drive a disk is that was not recognised as a member: where the superblock is lost, the drive still tells. */
struct td_drive_owner {
    const struct td_pair *pair; /* into the caller's array; NULL: nobody's, as far as it is known */
    int member;                 /* 0: A, 1: B */
    bool certain;               /* the drive itself told its name, now or when it was enrolled. Else it may be the name
                                   that the dock gives to whatever is in that slot */
};

struct td_judgement {
    enum td_verdict verdict;    /* td_judge_dock never gives TD_SOURCE_MISSING or TD_BRAKE: the run sets these */
    const struct td_pair *pair; /* the pair concerned, NULL when it cannot be said */
    struct td_match_result slots[TD_SLOTS];
    struct td_drive_owner owner[TD_SLOTS];
    int slot_of[2];       /* which slot holds member A, B; -1: absent */
    int slot;             /* the slot that the sentence is about, -1: both or none */
    bool slots_any;       /* the policy's: what the sentence may ask for */
    bool alike;           /* both slots report one serial or WWN: it is nobody's */
    bool hidden;          /* TD_DOCK_MERGED, for the disk is alone and the dock says of it what its drive would not; a
                             member by its card it may be all the same */
    bool write_protected; /* TD_UNCLEAN of `slot` for that reason alone; found out by the run and by check, for a dock
                             that is otherwise ok */
    const char *detail;   /* static text or text inside the observation that explains; may be NULL. A run that sets
                             the verdict itself (unclean by e2fsck, source-missing, brake) puts its own words here */
};

/*
 * Recognise one disk. With a serial or WWN that the ledger has from the same kind of source, drive and card must both
 * name the same member; a card with the right token decides alone when the drive says nothing (sysfs and udev are no
 * drives), and, `bridged`, when only a bridge contradicts it; a card of another pair, a wrong token or no card is a
 * stranger (TD_MATCH_PAIR).
 */
struct td_match_result td_match_slot(const struct td_slot *slot, const struct td_pair *pairs, size_t pair_count);
/*
 * Both disks together: where both slots report one identity, or each that of the other's member (a bridge that speaks
 * for its bays), the cards alone decide.
 *
 * A copy has its original's UUID and card, and only the drive tells it. So a bridge's word against a card is passed
 * over only where nothing shows that this dock passes on what drives are called: neither slot reports a serial or WWN
 * that is enrolled. Where one does, the other one is a copy. A disk that is alone is recognised, but see `hidden`: it
 * may be two disks that the dock shows as one.
 */
void td_match_slots(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                    struct td_match_result out[TD_SLOTS]);

/* Does this identity come from the drive or from the bridge before it, which mostly passes on the drive's own? Not so
 * what sysfs and udev have, behind USB the words of the plug. */
bool td_drive_speaks(const struct td_identity *identity);
/* One serial, or one WWN, in two places. */
bool td_drive_alike(const struct td_identity *a, const struct td_identity *b);
/* What a drive's own word is worth against one enrolled member's: serials decide where both have one, else WWNs. An
 * identity that the ledger has for both members of a pair was a bridge's and says nothing. One that differs when a
 * bridge spoke, now or when the pair was enrolled, proves nothing: it may be the bridge's own. */
enum td_drive_word { TD_DRIVE_SILENT, TD_DRIVE_SAME, TD_DRIVE_UNSURE, TD_DRIVE_OTHER };
enum td_drive_word td_drive_word(const struct td_identity *seen, const struct td_pair *pair, int member);
/* The drive is neither member of this pair, by its own word: its filesystem is not to be mounted. */
bool td_drive_stranger(const struct td_identity *seen, const struct td_pair *pair);
/* Whose drives the disks are that `match` did not recognise. A name that only a bridge has told, or a dock that
 * mirrors, or that both slots have, counts for a disk of the member's size alone, and not when several members have it.
 */
void td_drive_owners(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                     const struct td_match_result match[TD_SLOTS], struct td_drive_owner out[TD_SLOTS]);
/* Why a member's filesystem is `unclean`, as words for a sentence; NULL: it is not. A journal that a power cut left
 * behind is no flaw here: the run tries e2fsck -p when all else is ok. */
const char *td_slot_flaw(const struct td_slot *slot);
/* The enrolled pair of this UUID, or NULL. */
const struct td_pair *td_pair_find(const struct td_pair *pairs, size_t pair_count, const char *uuid);

/*
 * Beyond the table's words: a `mirrored` pair in individual mode is TD_WRONG_LAYOUT (it may be read, never written),
 * and so is a card whose layout is not the ledger's. TD_UNPROVEN_PAIR rests on members[].generation being confirmed
 * only for a member that was itself in the slot that is read: the other's distance from the pair's generation is the
 * number of runs since. A pair whose halves were found to differ has it until they have been found to be the same.
 */
struct td_judgement td_judge_dock(const struct td_observation *seen, const struct td_pair *pairs, size_t pair_count,
                                  const struct td_policy *policy);

/* One sentence for a tired person: which disk (serial, member, collection), which slot, what to do. Appends; for TD_OK
 * too. */
void td_advise(const struct td_observation *seen, const struct td_judgement *judgement, struct td_buf *out);
/* The disk in a slot in words: "member B of M (serial WD-WCC4N0)", "an ntfs disk labelled \"Backup\" (1.8T, serial X)".
 */
void td_describe_slot(const struct td_observation *seen, const struct td_judgement *judgement, int slot,
                      struct td_buf *out);
/* The member whose drive is in a slot (the judgement's `owner`), in words: "member B of M (WD-WCC4N0)". */
void td_describe_owner(const struct td_observation *seen, const struct td_judgement *judgement, int slot,
                       struct td_buf *out);

#endif
