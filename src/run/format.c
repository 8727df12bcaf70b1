/* `format`: make new twins of the two disks in the dock. The one command that destroys on purpose. */
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/platform/ext4.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LEAST_SIZE (8 << 20) /* below that mkfs.ext4 makes no journal */

/* A dock that mirrors shows one disk, and writes to two. */
static bool mirrors(const struct td_docking *docking) {
    return docking->seen.mode == TD_MODE_MIRROR;
}

static int disks_of(const struct td_docking *docking) {
    return mirrors(docking) ? 1 : TD_SLOTS;
}

/* Never a disk that is a member of something, whatever was said on the command line; a disk with anything on it only
 * with --erase. */
static int check_disks(const struct td_docking *docking, bool erase, struct td_error *err) {
    for (int i = 0; i < disks_of(docking); i++) {
        TD_AUTOBUF struct td_buf what = {0};
        if (docking->judgement.slots[i].match != TD_MATCH_NONE) {
            td_describe_slot(&docking->seen, &docking->judgement, i, &what);
            td_fail_text(err, EINVAL,
                         "The %s slot holds %s, which is enrolled. It is not formatted; put an empty disk there.",
                         td_slot_names[i], td_buf_text(&what));
            return TD_EXIT_REFUSED;
        }
        if (docking->seen.slots[i].at.size < LEAST_SIZE) {
            td_describe_slot(&docking->seen, &docking->judgement, i, &what);
            td_fail_text(err, ENOSPC, "The %s slot holds %s, which is too small: a member has at least %d MiB.",
                         td_slot_names[i], td_buf_text(&what), LEAST_SIZE >> 20);
            return TD_EXIT_REFUSED;
        }
        int rc = td_enrolling_check_drive(docking, i, NULL, 0, erase, err);
        if (rc == 0)
            rc = td_enrolling_may_format(docking, i, erase, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* A disk that carries a card is a backup, whether this machine's ledger knows it or not. */
static int refuse_members(const struct td_docking *docking, struct td_error *err) {
    for (int i = 0; i < disks_of(docking); i++) {
        struct td_card card;
        if (td_enrolling_card(docking, i, &card))
            return td_enrolling_refuse_card(docking, i, &card, err);
    }
    return 0;
}

static bool agreed(const struct td_format_request *request, const struct td_docking *docking) {
    TD_AUTOBUF struct td_buf question = {0};
    if (request->ask == NULL)
        return true;
    if (mirrors(docking))
        td_buf_printf(&question,
                      "Dock %s mirrors. Everything on the disk that it shows and on the one in its other slot will be "
                      "lost:\n",
                      docking->dock->name);
    else
        td_buf_printf(&question, "Everything on these two disks will be lost:\n");
    for (int i = 0; i < disks_of(docking); i++) {
        td_buf_printf(&question, "  %s slot: %s, ", td_slot_names[i], docking->seen.slots[i].at.node);
        td_describe_slot(&docking->seen, &docking->judgement, i, &question);
        td_buf_putc(&question, '\n');
    }
    td_buf_printf(&question, "They become members A and B of collection %s%s.", request->collection,
                  mirrors(docking) ? ", a mirrored pair" : "");
    return request->ask(request->ctx, question.data);
}

/* Is the filesystem just made in the source slot in this one, too? */
static bool is_on(const struct td_docking *docking, int slot, const char *uuid) {
    struct td_ext4 there;
    return td_ext4_read(docking->seen.slots[slot].at.node, &there, NULL) == 0 && strcmp(there.uuid, uuid) == 0;
}

static int make_filesystems(const struct td_docking *docking, const struct td_collection_config *collection,
                            struct td_error *err) {
    char uuid[37];
    int rc = td_uuid_random(uuid, err);
    for (int i = 0; i < disks_of(docking) && rc == 0; i++)
        rc = i > 0 && is_on(docking, i, uuid)
                 ? td_enrolling_fail_one_disk(docking, err)
                 : td_enrolling_make(docking, i, collection, uuid, mirrors(docking) ? -1 : i, err);
    return rc;
}

/* After making the filesystems the dock is looked at anew: what is enrolled is what is there. */
static int enroll_new(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                      const char *collection, struct td_buf *out, struct td_error *err) {
    struct td_policy policy = td_docking_policy(docking, true);
    char aside[TD_LEDGER_ASIDE_MAX]; /* there is none on a new filesystem */
    int rc = td_docking_look(docking, ledger, TD_LOOK_ONCE, &policy, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < disks_of(docking); i++)
        if (!docking->seen.slots[i].super_read)
            return td_fail_text(err, EIO, "the new filesystem in the %s slot cannot be read back", td_slot_names[i]);
    if (mirrors(docking))
        return td_enroll_shown_half(app, docking, ledger, collection, out, err);
    rc = td_enrolling_enter(docking, ledger, collection, TD_LAYOUT_TWINS, aside, err);
    if (rc == 0)
        td_enrolling_say(docking, app, "format", collection, out);
    return rc;
}

static bool is_enrolled(const struct td_docking *docking, const char *collection) {
    for (size_t i = 0; i < docking->pair_count; i++)
        if (strcmp(docking->pairs[i].collection, collection) == 0)
            return true;
    return false;
}

int td_command_format(const struct td_app *app, const struct td_format_request *request, struct td_buf *out,
                      struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct td_docking docking;
    int rc = td_enrolling_check_names(app, request->collection, request->dock, err);
    if (rc == 0)
        rc = td_ledger_open(app->config->ledger, &ledger, err);
    if (rc != 0)
        return rc;
    rc = td_enrolling_open(&docking, app, request->dock, ledger, err);
    if (rc != 0) {
        td_ledger_close(ledger);
        return rc;
    }
    if (is_enrolled(&docking, request->collection)) {
        td_fail_text(err, EEXIST,
                     "Collection %s has an enrolled pair already, and it is not formatted over; give the new pair a "
                     "collection of "
                     "its own in %s.",
                     request->collection, app->config->file);
        rc = TD_EXIT_REFUSED;
    }
    if (rc == 0)
        rc = check_disks(&docking, request->erase, err);
    if (rc == 0)
        rc = refuse_members(&docking, err);
    if (rc == 0 && !agreed(request, &docking)) {
        td_fail_text(err, ECANCELED, "Not confirmed; nothing was written.");
        rc = TD_EXIT_REFUSED;
    }
    if (td_stop_asked(app->stop)) {
        td_fail_text(err, ECANCELED, "Stopped; nothing was written.");
        rc = TD_EXIT_SIGNAL + atomic_load(&app->stop->signal);
    }
    if (rc == 0)
        rc = make_filesystems(&docking, td_config_collection(app->config, request->collection), err);
    if (rc == 0)
        rc = enroll_new(app, &docking, ledger, request->collection, out, err);
    td_docking_close(&docking);
    td_ledger_close(ledger);
    return rc;
}
