/* Mirrored pairs: two disks that the dock itself keeps the same. */
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/platform/json.h"
#include "twindock/platform/mount.h"
#include "twindock/run/check_full.h"
#include "twindock/run/enrolling.h"
#include "twindock/run/halves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREE_WITHIN_MS 10000

static const char letters[TD_SLOTS] = {'A', 'B'};

/* --- what both ways of making one share ---------------------------------------------------------------------- */

/* `slot` NULL: a half that was not seen yet. */
static void describe_half(const struct td_slot *slot, const struct td_card *card, char letter,
                          struct td_member *member) {
    *member = (struct td_member){.letter = letter};
    snprintf(member->token, sizeof member->token, "%s", card->token);
    if (slot == NULL)
        return;
    member->identity = slot->identity;
    member->size = slot->disk.size;
    member->generation = card->generation;
}

static void describe_pair(const char *collection, const struct td_slot *a, const struct td_slot *b,
                          const struct td_card *card, struct td_pair *pair) {
    *pair = (struct td_pair){.layout = TD_LAYOUT_MIRRORED, .generation = card->generation, .intent = card->generation};
    snprintf(pair->uuid, sizeof pair->uuid, "%s", a->super.uuid);
    snprintf(pair->collection, sizeof pair->collection, "%s", collection);
    describe_half(a, card, 'A', &pair->members[0]);
    describe_half(b, card, 'B', &pair->members[1]);
}

static void say_json(const char *command, const struct td_pair *pair, const struct td_halves *halves,
                     struct td_buf *out) {
    struct td_json *json = td_json_object();
    td_json_text(json, "command", command);
    td_json_text(json, "collection", pair->collection);
    td_json_text(json, "pair", pair->uuid);
    td_json_text(json, "layout", td_layout_name(pair->layout));
    td_json_text(json, "result", "done");
    td_json_int(json, "exit", 0);
    if (halves != NULL)
        td_json_set(json, "comparison", td_halves_json(halves, letters));
    td_json_print(json, out);
    td_json_free(json);
}

static void say_half(const struct td_slot *slot, int i, struct td_buf *out) {
    td_buf_printf(out, "  member %c: the disk in the %s slot, %s", letters[i], td_slot_names[i], slot->fs.device.node);
    if (slot->identity.serial[0] != '\0') {
        td_buf_puts(out, ", serial ");
        td_escape_text(out, slot->identity.serial);
    }
    td_buf_putc(out, '\n');
}

/* --- two disks that are the same already --------------------------------------------------------------------- */

static bool same_card(const struct td_card *a, const struct td_card *b) {
    return strcmp(a->pair, b->pair) == 0 && strcmp(a->collection, b->collection) == 0 && a->member == b->member &&
           strcmp(a->token, b->token) == 0 && a->layout == b->layout && a->generation == b->generation &&
           a->last_run == b->last_run;
}

/* No card at all, or the same on both, of this collection: a ledger that was lost. */
static int check_cards(const struct td_docking *docking, const struct td_card cards[2], int count,
                       const char *collection, struct td_error *err) {
    const char *uuid = docking->seen.slots[0].super.uuid;
    if (count == 0)
        return 0;
    if (count == 2 && same_card(&cards[0], &cards[1]) && cards[0].layout == TD_LAYOUT_MIRRORED &&
        strcmp(cards[0].collection, collection) == 0 && strcasecmp(cards[0].pair, uuid) == 0)
        return 0;
    if (count == 2 && same_card(&cards[0], &cards[1]) && cards[0].layout == TD_LAYOUT_MIRRORED &&
        strcasecmp(cards[0].pair, uuid) == 0) {
        td_fail_text(err, EEXIST,
                     "By their card these disks are the mirrored backup of %s, and keep that name: give the section "
                     "[collection %s] the name [collection %s] again, and say `twindock enroll %s --layout mirrored`. "
                     "Nothing was written.",
                     cards[0].collection, collection, cards[0].collection, cards[0].collection);
        return TD_EXIT_REFUSED;
    }
    const struct td_card *card = cards[0].pair[0] != '\0' ? &cards[0] : &cards[1];
    td_fail_text(
        err, EEXIST,
        "The disks carry cards of twindock that are not the one card of a mirrored pair of %s: %s says member %c "
        "of %s, layout %s. Nothing was written.",
        collection, count == 2 ? "one of them" : "the only one", card->member, card->collection,
        td_layout_name(card->layout));
    return TD_EXIT_REFUSED;
}

static int refuse_enrolled(const struct td_docking *docking, const char *collection, struct td_error *err) {
    const char *uuid = docking->seen.slots[0].super.uuid;
    for (size_t i = 0; i < docking->pair_count; i++) {
        const struct td_pair *pair = &docking->pairs[i];
        if (strcmp(pair->collection, collection) != 0 && strcasecmp(pair->uuid, uuid) != 0)
            continue;
        td_fail_text(err, EEXIST,
                     "Collection %s has an enrolled pair already, with the UUID %s, layout %s. Nothing was "
                     "written.",
                     pair->collection, pair->uuid, td_layout_name(pair->layout));
        return TD_EXIT_REFUSED;
    }
    return 0;
}

/* Compared in full, or refused. */
static int prove_same(const struct td_app *app, const struct td_docking *docking, struct td_ledger *ledger,
                      const char *collection, struct td_halves *halves, struct td_error *err) {
    TD_AUTOBUF struct td_buf text = {0};
    int rc = td_halves_compare(app, docking, ledger, 0, false, halves, err);
    if (rc == -ECANCELED) {
        td_fail_text(err, ECANCELED, "Stopped; nothing was written.");
        return TD_EXIT_SIGNAL + atomic_load(&app->stop->signal);
    }
    if (rc != 0 && halves->lost < 0)
        return rc;
    if (rc == 0 && td_halves_same(halves))
        return 0;
    if (rc == 0)
        td_halves_name(app, docking, ledger, 0, collection, halves);
    td_halves_sentence(halves, collection, letters, &text);
    td_fail_text(err, EUCLEAN, "They cannot be enrolled as a mirrored pair. %s", td_buf_text(&text));
    return TD_EXIT_REFUSED;
}

static int enter(const struct td_docking *docking, struct td_ledger *ledger, struct td_pair *pair,
                 const struct td_card cards[2], struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);
    if (rc == 0)
        rc = td_ledger_add_pair(ledger, pair, err);
    if (rc == 0)
        rc = td_enrolling_continue_runs(docking, ledger, pair, cards, err);
    if (rc == 0)
        return td_ledger_commit(ledger, err);
    td_ledger_rollback(ledger);
    return rc;
}

static void say_compared(const struct td_app *app, const struct td_docking *docking, const struct td_pair *pair,
                         const struct td_halves *halves, struct td_buf *out) {
    if (app->json) {
        say_json("enroll", pair, halves, out);
        return;
    }
    td_halves_sentence(halves, pair->collection, letters, out);
    td_buf_printf(out, "\n%s is enrolled as mirrored pair %s. Nothing was written to the disks.\n", pair->collection,
                  pair->uuid);
    for (int i = 0; i < TD_SLOTS; i++)
        say_half(&docking->seen.slots[i], i, out);
    bool told = td_drive_speaks(&docking->seen.slots[0].identity) &&
                td_drive_speaks(&docking->seen.slots[1].identity) &&
                !td_drive_alike(&docking->seen.slots[0].identity, &docking->seen.slots[1].identity);
    if (!told)
        td_buf_puts(out, "The drives do not tell which of them is which, so a dock that mirrors cannot be told either: "
                         "only `twindock check --full` proves the half that is not seen.\n");
    td_buf_puts(out, "Mark the disks with their letters, set the dock to mirror, and start the first backup: twindock "
                     "run\n");
}

static int enroll_compared(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                           const char *collection, struct td_halves *halves, struct td_buf *out, struct td_error *err) {
    const struct td_slot *slots = docking->seen.slots;
    struct td_card cards[2] = {0};
    struct td_pair pair;
    int count = 0;
    int rc = td_enrolling_read_cards(docking, cards, &count, err);
    if (rc == 0)
        rc = check_cards(docking, cards, count, collection, err);
    if (rc == 0)
        rc = prove_same(app, docking, ledger, collection, halves, err);
    if (rc != 0)
        return rc;
    if (count == 0) { /* its token says in which state they were compared */
        snprintf(cards[0].token, sizeof cards[0].token, "%s", slots[0].super.mark);
        cards[1] = cards[0];
    }
    describe_pair(collection, &slots[0], &slots[1], &cards[0], &pair);
    rc = enter(docking, ledger, &pair, cards, err);
    if (rc == 0)
        say_compared(app, docking, &pair, halves, out);
    return rc;
}

int td_enroll_mirrored(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                       const char *collection, struct td_buf *out, struct td_error *err) {
    const struct td_pair *pair = docking->judgement.slots[0].pair;
    if (td_check_holds_halves(docking) && strcmp(pair->collection, collection) == 0) {
        if (app->json)
            say_json("enroll", pair, NULL, out);
        else
            td_buf_puts(out, "Nothing to do: these two disks are enrolled already.\n");
        return 0;
    }
    int rc = refuse_enrolled(docking, collection, err);
    if (rc != 0)
        return rc;
    struct td_halves *halves = calloc(1, sizeof *halves);
    if (halves == NULL)
        return td_fail(err, ENOMEM, "comparing the disks");
    rc = enroll_compared(app, docking, ledger, collection, halves, out, err);
    td_halves_free(halves);
    free(halves);
    return rc;
}

/* --- two disks that a dock in mirror mode has just formatted --------------------------------------------------- */

static int write_card(const struct td_slot *slot, const struct td_card *card, struct td_error *err) {
    int root = td_mount_ext4(&slot->fs.device, false, err);
    if (root < 0)
        return root;
    int rc = td_card_write(root, card, err);
    if (rc == 0)
        rc = td_mount_checkpoint(root, err);
    close(root);
    int freed = td_blockdev_wait_free(slot->fs.device.node, FREE_WITHIN_MS, rc == 0 ? err : NULL);
    return rc != 0 ? rc : freed;
}

int td_enroll_shown_half(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                         const char *collection, struct td_buf *out, struct td_error *err) {
    const struct td_slot *slot = &docking->seen.slots[TD_SLOT_SOURCE];
    struct td_card card = {.member = 'A', .layout = TD_LAYOUT_MIRRORED};
    struct td_pair pair;
    snprintf(card.pair, sizeof card.pair, "%s", slot->super.uuid);
    snprintf(card.collection, sizeof card.collection, "%s", collection);
    int rc = td_card_token(card.token, err);
    if (rc != 0)
        return rc;
    describe_pair(collection, slot, NULL, &card, &pair);
    rc = td_ledger_begin(ledger, err);
    if (rc == 0)
        rc = td_ledger_add_pair(ledger, &pair, err);
    if (rc == 0)
        rc = write_card(slot, &card, err);
    rc = rc == 0 ? td_ledger_commit(ledger, err) : rc;
    if (rc != 0) {
        td_ledger_rollback(ledger);
        return rc;
    }
    if (app->json) {
        say_json("format", &pair, NULL, out);
        return 0;
    }
    td_buf_printf(out, "%s is enrolled as mirrored pair %s.\n", collection, pair.uuid);
    say_half(slot, 0, out);
    td_buf_puts(out,
                "  member B: the disk in the other slot, which the dock writes to and does not show\n"
                "Mark the disks with their letters, then start the first backup: twindock run\n"
                "That the other half is the same is not proven yet: set the dock to show its disks one by one soon, "
                "and compare them: twindock check --full\n");
    return 0;
}
