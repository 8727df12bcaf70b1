#include "twindock/run/enrolling.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/dock/card.h"
#include "twindock/platform/ext4.h"
#include "twindock/platform/json.h"
#include "twindock/platform/mount.h"
#include "twindock/run/need.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int refuse(struct td_error *err, int code, const char *text) {
    td_fail_text(err, EINVAL, "%s", text);
    return code;
}

static int look(struct td_docking *docking, const struct td_app *app, const struct td_dock_config *dock,
                struct td_ledger *ledger, struct td_error *err) {
    td_docking_init(docking, app->config, dock);
    int rc = td_docking_lock(docking, err);
    if (rc != 0)
        return rc;
    struct td_policy policy = td_docking_policy(docking, true);
    return td_docking_look(docking, ledger, TD_LOOK_ONCE, &policy, err);
}

/* A dock that mirrors shows one. */
static bool holds_two(const struct td_docking *docking) {
    const struct td_observation *seen = &docking->seen;
    if (seen->mode == TD_MODE_MIRROR)
        return seen->slots[TD_SLOT_SOURCE].present;
    return !seen->one_device && seen->slots[TD_SLOT_SOURCE].present && seen->slots[TD_SLOT_DESTINATION].present;
}

/* The configured docks that could be meant by `name`; how many of them hold two disks, and the last such. `instead`:
 * what there is to say of one whose slots lead to one disk. */
static int find_dock(const struct td_app *app, const char *name, struct td_ledger *ledger, size_t *full,
                     const struct td_dock_config **found, struct td_buf *instead, struct td_error *err) {
    *full = 0;
    for (size_t i = 0; i < app->config->dock_count; i++) {
        struct td_docking docking;
        const struct td_dock_config *dock = &app->config->docks[i];
        if (name != NULL && strcmp(name, dock->name) != 0)
            continue;
        int rc = look(&docking, app, dock, ledger, err);
        if (rc == 0 && holds_two(&docking)) {
            (*full)++;
            *found = dock;
        }
        if (rc == 0 && docking.seen.one_device)
            td_advise(&docking.seen, &docking.judgement, instead);
        td_docking_close(&docking);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int td_enrolling_check_names(const struct td_app *app, const char *collection, const char *dock, struct td_error *err) {
    bool known = dock == NULL;
    int rc = td_need_collection(app->config, collection, err);
    if (rc == 0)
        rc = td_need_dock(app->config, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < app->config->dock_count && !known; i++)
        known = strcmp(app->config->docks[i].name, dock) == 0;
    if (known)
        return 0;
    td_fail_text(err, EINVAL, "%s has no section [dock %s]", app->config->file, dock);
    return TD_EXIT_USAGE;
}

int td_enrolling_open(struct td_docking *docking, const struct td_app *app, const char *name, struct td_ledger *ledger,
                      struct td_error *err) {
    const struct td_dock_config *dock = NULL;
    TD_AUTOBUF struct td_buf instead = {0};
    size_t full = 0;
    int rc = find_dock(app, name, ledger, &full, &dock, &instead, err);
    if (rc < 0)
        return rc;
    if (full == 0 && instead.len > 0)
        return refuse(err, TD_EXIT_REFUSED, td_buf_text(&instead));
    if (full == 0)
        return refuse(err, TD_EXIT_REFUSED, "No dock holds two disks. Put one disk into each slot.");
    if (full > 1)
        return refuse(err, TD_EXIT_USAGE, "More than one dock holds two disks; name the dock with --dock.");
    rc = look(docking, app, dock, ledger, err);
    if (rc == 0 && !holds_two(docking)) {
        td_docking_close(docking);
        return refuse(err, TD_EXIT_REFUSED, "A disk was taken out of the dock. Put one disk into each slot.");
    }
    return rc;
}

/* --- into the ledger ----------------------------------------------------------------------------------------- */

/* Is this the card of the member that belongs into this slot? */
static bool card_fits(const struct td_card *card, int slot, const char *collection, const char *uuid) {
    return strcmp(card->collection, collection) == 0 && strcasecmp(card->pair, uuid) == 0 &&
           card->member == (slot == TD_SLOT_SOURCE ? 'A' : 'B');
}

/*
 * Are the cards that are there those of this pair, one A and one B in the right slots? Then they are kept. One alone is
 * what an enrolling that was cut short has left: it is kept when no run was ever made with it and no ledger knows it.
 */
static bool cards_fit(const struct td_docking *docking, const struct td_card cards[2], int count,
                      const char *collection, const char *uuid) {
    for (int i = 0; i < 2; i++)
        if (cards[i].pair[0] != '\0' && !card_fits(&cards[i], i, collection, uuid))
            return false;
    if (count != 1)
        return count == 0 || strcmp(cards[0].token, cards[1].token) != 0;
    const struct td_card *card = cards[0].pair[0] != '\0' ? &cards[0] : &cards[1];
    for (size_t i = 0; i < docking->pair_count; i++)
        if (strcasecmp(docking->pairs[i].uuid, uuid) == 0)
            return false;
    return card->generation == 0 && card->last_run == 0;
}

/* Those that are not there yet. */
static int make_cards(struct td_card cards[2], const char *collection, const char *uuid, enum td_layout layout,
                      struct td_error *err) {
    for (int i = 0; i < 2; i++) {
        if (cards[i].pair[0] != '\0')
            continue;
        cards[i] = (struct td_card){.member = i == 0 ? 'A' : 'B', .layout = layout};
        snprintf(cards[i].pair, sizeof cards[i].pair, "%s", uuid);
        snprintf(cards[i].collection, sizeof cards[i].collection, "%s", collection);
        int rc = td_card_token(cards[i].token, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int mount_slot(const struct td_slot *slot, struct td_error *err) {
    return td_mount_ext4(&slot->fs.device, false, err);
}

static int wait_free(const struct td_docking *docking, struct td_error *err) {
    for (int i = 0; i < 2; i++) {
        int rc = td_blockdev_wait_free(docking->seen.slots[i].fs.device.node, 10000, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* What cards are there already; a card that is not there has no pair. */
int td_enrolling_read_cards(const struct td_docking *docking, struct td_card cards[2], int *count,
                            struct td_error *err) {
    *count = 0;
    for (int i = 0; i < 2; i++) {
        const struct td_blockdev *device = &docking->seen.slots[i].fs.device;
        struct td_write_protection hold;
        int root = td_mount_read_only(device, &hold, err);
        if (root < 0)
            return root;
        int rc = td_card_read(root, &cards[i], err);
        close(root);
        td_blockdev_wait_free(device->node, 10000, NULL);
        td_write_protect_end(&hold);
        if (rc == 0)
            (*count)++;
        else if (rc != -ENOENT)
            return td_wrap(err, rc, "the disk in the %s slot", td_slot_names[i]);
    }
    return wait_free(docking, err);
}

/* Asked of both before either is mounted for writing: that alone changes a disk. */
static int refuse_protected(const struct td_docking *docking, struct td_error *err) {
    for (int i = 0; i < 2; i++) {
        const char *node = docking->seen.slots[i].fs.device.node;
        if (td_blockdev_is_protected(node) <= 0)
            continue;
        td_fail_text(err, EROFS, "The disk in the %s slot (%s) is write-protected. Nothing was written.",
                     td_slot_names[i], node);
        return TD_EXIT_REFUSED;
    }
    return 0;
}

/* Some bridges show their one disk as two, and two mounts of one filesystem are its end. What mounting the first for
 * writing has done to it must not have come about on the second. */
static int mount_second(const struct td_docking *docking, struct td_error *err) {
    const struct td_slot *slot = &docking->seen.slots[TD_SLOT_DESTINATION];
    struct td_ext4 now;
    int rc = td_ext4_read(slot->fs.device.node, &now, err);
    if (rc < 0)
        return rc;
    if (strcmp(now.mark, slot->super.mark) != 0)
        return td_enrolling_fail_one_disk(docking, err);
    return mount_slot(slot, err);
}

/* Both members take writing before the first card is written, so that they get theirs together or not at all. */
static int set_ledger_aside(int root, const struct td_card *card, char aside[TD_LEDGER_ASIDE_MAX],
                            struct td_error *err) {
    char name[TD_LEDGER_ASIDE_MAX];
    TD_AUTOCLOSE int store = td_open_beneath(root, ".twindock", O_RDONLY | O_DIRECTORY, 0);
    int rc = store < 0 ? store : td_ledger_set_aside(store, card->generation, name);
    if (rc < 0)
        return td_fail(err, -rc, "cannot keep the copy of a ledger on member %c", card->member);
    if (rc > 0)
        snprintf(aside, TD_LEDGER_ASIDE_MAX, "%s", name);
    return 0;
}

static int write_cards_to(const struct td_docking *docking, struct td_card cards[2], char aside[TD_LEDGER_ASIDE_MAX],
                          struct td_error *err) {
    TD_AUTOCLOSE int a = mount_slot(&docking->seen.slots[0], err);
    TD_AUTOCLOSE int b = a < 0 ? a : mount_second(docking, err);
    if (b < 0)
        return b;
    for (int i = 0; i < 2; i++) {
        int root = i == 0 ? a : b;
        if (gethostname(cards[i].host, sizeof cards[i].host - 1) != 0)
            cards[i].host[0] = '\0';
        int rc = td_card_write(root, &cards[i], err);
        if (rc == 0)
            rc = set_ledger_aside(root, &cards[i], aside, err);
        if (rc == 0)
            rc = td_mount_checkpoint(root, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_cards(const struct td_docking *docking, struct td_card cards[2], char aside[TD_LEDGER_ASIDE_MAX],
                       struct td_error *err) {
    int rc = write_cards_to(docking, cards, aside, err);
    return rc != 0 ? rc : wait_free(docking, err);
}

static void describe_pair(const struct td_docking *docking, const struct td_card cards[2], const char *collection,
                          const char *uuid, enum td_layout layout, struct td_pair *pair) {
    *pair = (struct td_pair){.layout = layout};
    snprintf(pair->uuid, sizeof pair->uuid, "%s", uuid);
    snprintf(pair->collection, sizeof pair->collection, "%s", collection);
    for (int i = 0; i < 2; i++) {
        struct td_member *member = &pair->members[i];
        member->letter = cards[i].member;
        snprintf(member->token, sizeof member->token, "%s", cards[i].token);
        member->identity = docking->seen.slots[i].identity;
        member->size = docking->seen.slots[i].disk.size;
        member->generation = cards[i].generation;
        if (cards[i].generation > pair->generation)
            pair->generation = pair->intent = cards[i].generation;
    }
}

int td_enrolling_record(struct td_ledger *ledger, const struct td_pair *pair, const char *command, const char *dock,
                        int64_t after, struct td_error *err) {
    struct td_run run = {.id = after, .pair = pair->id, .verdict = TD_OK, .result = TD_RESULT_DONE};
    run.started = run.ended = td_wall_seconds();
    snprintf(run.command, sizeof run.command, "%s", command);
    snprintf(run.collection, sizeof run.collection, "%s", pair->collection);
    snprintf(run.uuid, sizeof run.uuid, "%s", pair->uuid);
    snprintf(run.dock, sizeof run.dock, "%s", dock);
    if (gethostname(run.host, sizeof run.host - 1) != 0)
        run.host[0] = '\0';
    int rc = td_ledger_run_begin(ledger, &run, err);
    return rc == 0 ? td_ledger_run_end(ledger, &run, err) : rc;
}

/* Disks that were in a ledger before, which is lost: the runs go on after the last that their cards know of, for the
 * history on them is ordered by number. A run that says so is entered. */
int td_enrolling_continue_runs(const struct td_docking *docking, struct td_ledger *ledger, const struct td_pair *pair,
                               const struct td_card cards[2], struct td_error *err) {
    int64_t last = cards[0].last_run > cards[1].last_run ? cards[0].last_run : cards[1].last_run;
    return last <= 0 ? 0 : td_enrolling_record(ledger, pair, "enroll", docking->dock->name, last, err);
}

int td_enrolling_enter(struct td_docking *docking, struct td_ledger *ledger, const char *collection,
                       enum td_layout layout, char aside[TD_LEDGER_ASIDE_MAX], struct td_error *err) {
    const char *uuid = docking->seen.slots[TD_SLOT_SOURCE].super.uuid;
    struct td_card cards[2] = {0};
    struct td_pair pair;
    int count = 0;
    aside[0] = '\0';
    int rc = td_enrolling_read_cards(docking, cards, &count, err);
    if (rc != 0)
        return rc;
    if (count == 2 && td_enrolling_another_name(docking, cards, collection))
        rc = td_enrolling_rename(docking, collection, cards, err);
    if (rc != 0)
        return rc;
    if (!cards_fit(docking, cards, count, collection, uuid))
        return refuse(
            err, TD_EXIT_REFUSED,
            "The disks carry cards of twindock that do not belong together as members A (source slot) and B "
            "(destination slot) of this collection. Check that these are the right disks in the right slots.");
    rc = refuse_protected(docking, err);
    if (rc == 0)
        rc = make_cards(cards, collection, uuid, layout, err);
    if (rc != 0)
        return rc;
    describe_pair(docking, cards, collection, uuid, layout, &pair);
    rc = td_ledger_begin(ledger, err);
    if (rc == 0)
        rc = td_ledger_add_pair(ledger, &pair, err);
    if (rc == 0)
        rc = td_enrolling_continue_runs(docking, ledger, &pair, cards, err);
    if (rc == 0)
        rc = write_cards(docking, cards, aside, err);
    if (rc == 0)
        return td_ledger_commit(ledger, err);
    td_ledger_rollback(ledger);
    return rc;
}

void td_enrolling_say(const struct td_docking *docking, const struct td_app *app, const char *command,
                      const char *collection, struct td_buf *out) {
    static const char letters[] = "AB";
    const char *uuid = docking->seen.slots[TD_SLOT_SOURCE].super.uuid;
    if (app->json) {
        struct td_json *json = td_json_object();
        td_json_text(json, "command", command);
        td_json_text(json, "collection", collection);
        td_json_text(json, "pair", uuid);
        td_json_text(json, "result", "done");
        td_json_int(json, "exit", 0);
        td_json_print(json, out);
        td_json_free(json);
        return;
    }
    td_buf_printf(out, "%s is enrolled as pair %s.\n", collection, uuid);
    for (int i = 0; i < 2; i++) {
        const struct td_slot *slot = &docking->seen.slots[i];
        td_buf_printf(out, "  member %c: the disk in the %s slot, %s", letters[i], td_slot_names[i],
                      slot->fs.device.node);
        if (slot->identity.serial[0] != '\0') {
            td_buf_puts(out, ", serial ");
            td_escape_text(out, slot->identity.serial);
        }
        td_buf_putc(out, '\n');
    }
    td_buf_puts(out, "Mark the disks with their letters, then start the first backup: twindock run\n");
}
