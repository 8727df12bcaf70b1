/* The words of which the sentences about a dock are made. Everything read from a disk or a drive is escaped here. */
#ifndef TWINDOCK_DOCK_WORDS_H
#define TWINDOCK_DOCK_WORDS_H

#include "twindock/base/escape.h"
#include "twindock/dock/verdict.h"

struct td_words {
    struct td_buf *out;
    const struct td_observation *seen;
    const struct td_judgement *judgement;
};

/* The serial on the label of a member: the ledger's or the drive's own word, never what may be the bridge's.
 * "" when it is not known. */
const char *td_words_serial(const struct td_words *w, const struct td_pair *pair, int member);

/* Append "member B of M (WD-WCC4N0)"; without `whose` "member B (WD-WCC4N0)". A capital begins a sentence. */
void td_words_member(const struct td_words *w, const struct td_pair *pair, int member, bool whose, bool capital);
/* The same for the member recognised in a slot. */
void td_words_member_in(const struct td_words *w, int slot, bool whose, bool capital);

/* Append " (1.8T, serial X)" of the disk in a slot, as far as there is something to say. */
void td_words_disk(const struct td_words *w, int slot);

/* Nobody has looked for its card, because something else is using the disk: it may well be the right one. */
bool td_words_busy(const struct td_words *w, int slot);

/* Append a size pair so that the two differ on paper too: "3.7T" against "1.8T", else bytes. */
void td_words_sizes(const struct td_words *w, uint64_t first, const char *between, uint64_t second);

/* Append "`twindock enroll M --replace B`". */
void td_words_replace(const struct td_words *w, const struct td_pair *pair, int member);
/* Is there no such member any more? */
bool td_words_retired(const struct td_pair *pair, int member);

/* The filesystem ends beyond its device: append " Its filesystem is ...", else nothing. */
void td_words_cut_off(const struct td_words *w, int slot);

/* The smallest pieces. */
static inline void td_say(const struct td_words *w, const char *text) {
    td_buf_puts(w->out, text);
}

static inline void td_quote(const struct td_words *w, const char *hostile) {
    td_escape_text(w->out, hostile);
}

static inline void td_say_collection(const struct td_words *w, const struct td_pair *pair) {
    td_quote(w, pair->collection);
}

static inline void td_say_dock(const struct td_words *w) {
    td_say(w, "dock ");
    td_quote(w, w->seen->dock);
}

static inline const struct td_slot *td_words_slot(const struct td_words *w, int s) {
    return &w->seen->slots[s];
}

static inline bool td_words_is_member(const struct td_words *w, int s) {
    return w->judgement->slots[s].match == TD_MATCH_MEMBER;
}

/* "the source slot" */
static inline void td_say_slot(const struct td_words *w, int s) {
    td_buf_printf(w->out, "the %s slot", td_slot_names[s]);
}

/* A disk alone in a dock that says of it what its drive would not (td_judgement's `hidden`). */
void td_advise_hidden(const struct td_words *w, int slot);
/* Where a disk that belongs to no pair is a member's by its drive, append that and what to do. False: it is not. */
bool td_words_owner(const struct td_words *w, int slot);
/* Append what else a `bridged` stranger may be, else nothing. */
void td_words_bridged(const struct td_words *w, int slot);
/* Append why the members are known by their cards alone, where a dock's word was passed over, else nothing. */
void td_words_by_card_alone(const struct td_words *w);

/* The sentences that advice.c's table takes from advice_state.c. */
void td_advise_layout(const struct td_words *w);
void td_advise_stale(const struct td_words *w);
void td_advise_ahead(const struct td_words *w);
void td_advise_unproven(const struct td_words *w);
void td_advise_unclean(const struct td_words *w);

#endif
