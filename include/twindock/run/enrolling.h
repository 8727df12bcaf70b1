/* What format and enroll share: two docked disks that are to become a pair. */
#ifndef TWINDOCK_RUN_ENROLLING_H
#define TWINDOCK_RUN_ENROLLING_H

#include "twindock/dock/card.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/backup.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"

/* Are collection and dock (may be NULL) in the configuration? 0, or TD_EXIT_USAGE with the sentence in `err`. */
int td_enrolling_check_names(const struct td_app *app, const char *collection, const char *dock, struct td_error *err);

/*
 * Find the dock that is meant: `name`, or the only one that holds two disks. Locks it and looks. A refusal is
 * TD_EXIT_REFUSED or TD_EXIT_USAGE with the sentence in `err`.
 */
int td_enrolling_open(struct td_docking *docking, const struct td_app *app, const char *name, struct td_ledger *ledger,
                      struct td_error *err);

/*
 * Take the two disks of the dock (source slot: A, destination slot: B) into the ledger and write their cards. Both
 * hold acceptable ext4 filesystems of one UUID. Cards that are already there, of this collection and UUID, keep
 * their tokens and generation: that is how a lost ledger is begun anew. One that an enrolling cut short has left, and
 * that no run has used, gets its other half. Those of a collection that has been renamed get the new name. A
 * write-protected disk is refused before either is written to. Copies of a ledger that are on the disks stay there,
 * under the name `aside` ("": there was none).
 */
int td_enrolling_enter(struct td_docking *docking, struct td_ledger *ledger, const char *collection,
                       enum td_layout layout, char aside[TD_LEDGER_ASIDE_MAX], struct td_error *err);

/*
 * Take two disks that hold the same for a mirrored pair: compared block by block first, and not written to. Their card
 * is due with the first run in a dock that mirrors. An exit code, or a negative errno; what it has to say in `out`.
 */
int td_enroll_mirrored(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                       const char *collection, struct td_buf *out, struct td_error *err);
/* The one disk that a dock in mirror mode shows, just formatted, is A; of B nothing is known but that the dock writes
 * to it, too. Writes the card, and says so. */
int td_enroll_shown_half(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                         const char *collection, struct td_buf *out, struct td_error *err);

/* The two disks are a pair that is enrolled already, both recognised: enter what their drives are called where the
 * ledger knows it only from a bridge, or not at all. Says so in `out`. */
int td_enrolling_learn(const struct td_docking *docking, struct td_ledger *ledger, struct td_buf *out,
                       struct td_error *err);

/* Do the cards agree with each other, and with the disks and slots they are in, but for the collection? */
bool td_enrolling_another_name(const struct td_docking *docking, const struct td_card cards[2], const char *collection);
/* Then they get its name, where that is safe; or TD_EXIT_REFUSED with the sentence, or a negative errno. */
int td_enrolling_rename(const struct td_docking *docking, const char *collection, struct td_card cards[2],
                        struct td_error *err);

/* --- shared among these files --------------------------------------------------------------------------- */
/* What cards are there already; a card that is not there has no pair. */
int td_enrolling_read_cards(const struct td_docking *docking, struct td_card cards[2], int *count,
                            struct td_error *err);
int td_enrolling_continue_runs(const struct td_docking *docking, struct td_ledger *ledger, const struct td_pair *pair,
                               const struct td_card cards[2], struct td_error *err);

/* Enter what was done to a pair by a command that is no run, as one that is done. Its number comes after `after`, too
 * (0: after the ledger's own). */
int td_enrolling_record(struct td_ledger *ledger, const struct td_pair *pair, const char *command, const char *dock,
                        int64_t after, struct td_error *err);

/* Two nodes, one disk: what is written by one is seen by the other. -ENOTUNIQ with the sentence. */
int td_enrolling_fail_one_disk(const struct td_docking *docking, struct td_error *err);

/* May the disk in this slot be formatted? Never while it is in use or write-protected; with anything on it only when
 * `erase`. 0, or TD_EXIT_REFUSED with the sentence in `err`. Whose disk it is the caller asks. */
int td_enrolling_may_format(const struct td_docking *docking, int slot, bool erase, struct td_error *err);
/*
 * Whose the disk in this slot is by its drive, though nothing on it says so: an enrolled member's is never formatted.
 * That of the member `replaced` of `pair` (NULL: none), and one of which only a dock says so, is when `erase`. 0, or
 * TD_EXIT_REFUSED with the sentence in `err`.
 */
int td_enrolling_check_drive(const struct td_docking *docking, int slot, const struct td_pair *pair, int replaced,
                             bool erase, struct td_error *err);
/* The card of a backup on the disk in this slot, whether this machine's ledger knows it or not. 1: *card is it; 0:
 * there is none that can be read. */
int td_enrolling_card(const struct td_docking *docking, int slot, struct td_card *card);
/* The sentence for such a disk, which is not formatted. Returns TD_EXIT_REFUSED. */
int td_enrolling_refuse_card(const struct td_docking *docking, int slot, const struct td_card *card,
                             struct td_error *err);
/* Make ext4 on the whole disk in a slot, or on the partition that the configuration names there, as member 0 (A), 1 (B)
 * or -1 (both halves at once), after a last look that it is still that disk. */
int td_enrolling_make(const struct td_docking *docking, int slot, const struct td_collection_config *collection,
                      const char *uuid, int member, struct td_error *err);

/* Words at the end of format and enroll. */
void td_enrolling_say(const struct td_docking *docking, const struct td_app *app, const char *command,
                      const char *collection, struct td_buf *out);

#endif
