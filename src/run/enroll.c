/* `enroll`: register two docked disks that hold their filesystems already. */
#include "twindock/base/cleanup.h"
#include "twindock/platform/ext4.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <string.h>

static int fail(struct td_error *err, int code, const char *text) {
    td_fail_text(err, EINVAL, "%s", text);
    return code;
}

/* May these two filesystems become members? */
static int check_disks(const struct td_docking *docking, struct td_error *err) {
    for (int i = 0; i < TD_SLOTS; i++) {
        const struct td_slot *slot = &docking->seen.slots[i];
        if (!slot->super_read || slot->fs.ambivalent) {
            td_fail_text(err, EINVAL,
                         "The disk in the %s slot (%s) holds no ext4 filesystem; make twins of two empty disks "
                         "with twindock format.",
                         td_slot_names[i], slot->disk.node);
            return TD_EXIT_REFUSED;
        }
        if (td_blockdev_wait_free(slot->fs.device.node, 0, NULL) != 0) {
            td_fail_text(err, EBUSY,
                         "%s in the %s slot is in use (mounted, or held by another program); free it first.",
                         slot->fs.device.node, td_slot_names[i]);
            return TD_EXIT_REFUSED;
        }
        const char *refused = td_ext4_refused(&slot->super);
        if (slot->super.errors || td_docking_dirty(slot) || refused != NULL) {
            td_fail_text(err, EINVAL, "The filesystem in the %s slot (%s) cannot be enrolled: %s.", td_slot_names[i],
                         slot->fs.device.node,
                         refused != NULL ? refused : "it was not cleanly unmounted or has errors; run e2fsck on it");
            return TD_EXIT_REFUSED;
        }
    }
    if (strcmp(docking->seen.slots[0].super.uuid, docking->seen.slots[1].super.uuid) != 0)
        return fail(
            err, TD_EXIT_REFUSED,
            "The two filesystems have different UUIDs; a pair shares one. Give the second the UUID of the first with "
            "tune2fs -U, or make new twins with twindock format.");
    return 0;
}

static bool is_of(const struct td_docking *docking, int slot, const struct td_pair *pair) {
    const struct td_match_result *match = &docking->judgement.slots[slot];
    return match->match == TD_MATCH_MEMBER && match->pair == pair;
}

/* A disk of an enrolled pair is not taken up a second time. Both of them have a name; of one, what is wrong with the
 * two is what the verdict says. */
static int refuse_enrolled(const struct td_docking *docking, const char *collection, struct td_error *err) {
    const struct td_match_result *match = docking->judgement.slots;
    const struct td_pair *pair = match[0].pair != NULL ? match[0].pair : match[1].pair;
    if (pair == NULL)
        return 0;
    bool both = is_of(docking, TD_SLOT_SOURCE, pair) && is_of(docking, TD_SLOT_DESTINATION, pair);
    if (both && pair->layout == TD_LAYOUT_MIRRORED) {
        td_fail_text(err, EEXIST, "These disks are enrolled as a mirrored pair, that of %s. Nothing was written.",
                     pair->collection);
    } else if (both && strcmp(pair->collection, collection) != 0) {
        td_fail_text(
            err, EEXIST,
            "These disks are enrolled as the pair of %s. If %s is its new name, keep one section for it in %s, "
            "[collection %s], with `target = %s` (or the target that it had), so that the files stay where they are on "
            "the disks; then say `twindock retire %s` and `twindock enroll %s`. Nothing was written.",
            pair->collection, collection, docking->config->file, collection, pair->collection, pair->collection,
            collection);
    } else {
        TD_AUTOBUF struct td_buf advice = {0};
        td_advise(&docking->seen, &docking->judgement, &advice);
        td_fail_text(err, EINVAL, "%s", td_buf_text(&advice));
    }
    return TD_EXIT_REFUSED;
}

/* One pair for each collection. */
static int refuse_second_pair(const struct td_docking *docking, const char *collection, struct td_error *err) {
    for (size_t i = 0; i < docking->pair_count; i++) {
        if (strcmp(docking->pairs[i].collection, collection) != 0)
            continue;
        td_fail_text(
            err, EEXIST,
            "Collection %s has an enrolled pair already, with the UUID %s. One new disk takes the place of a dead one "
            "with `twindock enroll %s --replace A` (or B). If both disks are to be others, say `twindock retire %s` "
            "first. Nothing was written.",
            collection, docking->pairs[i].uuid, collection, collection);
        return TD_EXIT_REFUSED;
    }
    return 0;
}

static void say_aside(const char *aside, struct td_buf *out) {
    if (*aside != '\0')
        td_buf_printf(out,
                      "The copy of another ledger that was on the disks stays there, as .twindock/%s. It knows the "
                      "versions in their history by date, which this ledger does not; what to do with it is in "
                      "twindock(8), under FILES.\n",
                      aside);
}

static int enroll_twins(const struct td_app *app, struct td_docking *docking, struct td_ledger *ledger,
                        const char *collection, struct td_buf *out, struct td_error *err) {
    const struct td_judgement *judgement = &docking->judgement;
    TD_AUTOBUF struct td_buf unsaid = {0};
    char aside[TD_LEDGER_ASIDE_MAX] = "";
    bool already = judgement->verdict == TD_OK && strcmp(judgement->pair->collection, collection) == 0;
    int rc = already ? td_enrolling_learn(docking, ledger, app->json ? &unsaid : out, err) : 0;
    if (!already)
        rc = refuse_enrolled(docking, collection, err);
    if (rc == 0 && !already)
        rc = refuse_second_pair(docking, collection, err);
    if (rc == 0 && !already)
        rc = check_disks(docking, err);
    if (rc == 0 && !already)
        rc = td_enrolling_enter(docking, ledger, collection, TD_LAYOUT_TWINS, aside, err);
    if (rc == 0 && (!already || app->json))
        td_enrolling_say(docking, app, "enroll", collection, out);
    if (rc == 0 && !app->json)
        say_aside(aside, out);
    return rc;
}

int td_command_enroll(const struct td_app *app, const char *collection, const char *layout, const char *dock,
                      struct td_buf *out, struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct td_docking docking;
    enum td_layout wanted = TD_LAYOUT_TWINS;
    if (layout != NULL && !td_layout_from(layout, &wanted))
        return fail(err, TD_EXIT_USAGE, "--layout takes twins or mirrored");
    int rc = td_enrolling_check_names(app, collection, dock, err);
    if (rc == 0)
        rc = td_ledger_open(app->config->ledger, &ledger, err);
    if (rc != 0)
        return rc;
    rc = td_enrolling_open(&docking, app, dock, ledger, err);
    if (rc == 0 && docking.seen.mode == TD_MODE_MIRROR) {
        rc = fail(
            err, TD_EXIT_REFUSED,
            "A dock that mirrors shows one of its two disks. Set it to show both, one by one: twins are written so, "
            "and the halves of a mirrored pair have to be compared before they are enrolled.");
        td_docking_close(&docking);
    } else if (rc == 0 && wanted == TD_LAYOUT_MIRRORED) {
        rc = check_disks(&docking, err);
        if (rc == 0)
            rc = td_enroll_mirrored(app, &docking, ledger, collection, out, err);
        td_docking_close(&docking);
    } else if (rc == 0) {
        rc = enroll_twins(app, &docking, ledger, collection, out, err);
        td_docking_close(&docking);
    }
    td_ledger_close(ledger);
    return rc;
}
