/* `enroll --replace`: a member has died, and a new disk takes its place. The other member is only read. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/dock/card.h"
#include "twindock/platform/json.h"
#include "twindock/platform/mount.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct replacing {
    const struct td_app *app;
    const struct td_replace_request *request;
    struct td_ledger *ledger;
    struct td_docking docking;
    const struct td_pair *pair;
    int gone;       /* the member to replace: 0 is A, 1 is B */
    int kept, made; /* slots: of the member that stays, of the new disk */
};

static int refuse(struct td_error *err, const char *text) {
    td_fail_text(err, EINVAL, "%s", text);
    return TD_EXIT_REFUSED;
}

static const struct td_match_result *match_in(const struct replacing *r, int slot) {
    return &r->docking.judgement.slots[slot];
}

static bool holds_member(const struct replacing *r, int slot, int member) {
    const struct td_match_result *match = match_in(r, slot);
    return match->match == TD_MATCH_MEMBER && match->pair == r->pair && match->member == member;
}

/* --- may it be done? ---------------------------------------------------------------------------------------- */

static int find_pair(struct replacing *r, struct td_error *err) {
    const struct td_docking *docking = &r->docking;
    for (size_t i = 0; i < docking->pair_count; i++)
        if (strcmp(docking->pairs[i].collection, r->request->collection) == 0)
            r->pair = &docking->pairs[i];
    if (r->pair == NULL)
        td_fail_text(err, EINVAL, "%s is not enrolled, so nothing of it can be replaced. See twindock --info.",
                     r->request->collection);
    else if (r->pair->layout != TD_LAYOUT_TWINS)
        td_fail_text(err, EINVAL,
                     "%s is a mirrored pair: its second disk is made by the dock's own copy function, not by this.",
                     r->request->collection);
    else
        return 0;
    return TD_EXIT_REFUSED;
}

/* The verdicts that say that a disk is not what it seems: then the one that stays cannot be told for sure. */
static int check_verdict(struct replacing *r, struct td_error *err) {
    const struct td_docking *docking = &r->docking;
    enum td_verdict verdict = docking->judgement.verdict;
    if (verdict != TD_DOCK_MERGED && verdict != TD_DUPLICATE_IDENTITY)
        return 0;
    TD_AUTOBUF struct td_buf advice = {0};
    td_advise(&docking->seen, &docking->judgement, &advice);
    return refuse(err, td_buf_text(&advice));
}

/* Where is the member that stays? It must be recognised beyond doubt, in its slot as far as the dock is strict. */
static int find_kept(struct replacing *r, struct td_error *err) {
    const char stays = "AB"[1 - r->gone], *collection = r->pair->collection;
    for (int s = 0; s < TD_SLOTS; s++) {
        if (!holds_member(r, s, r->gone))
            continue;
        td_fail_text(
            err, EEXIST,
            "Member %c of %s is in the %s slot and in order, so there is nothing to replace. To give it up all "
            "the same, say `twindock retire %s %c` first.",
            "AB"[r->gone], collection, td_slot_names[s], collection, "AB"[r->gone]);
        return TD_EXIT_REFUSED;
    }
    r->kept = holds_member(r, TD_SLOT_SOURCE, 1 - r->gone) ? TD_SLOT_SOURCE : TD_SLOT_DESTINATION;
    r->made = 1 - r->kept;
    if (!holds_member(r, r->kept, 1 - r->gone)) {
        TD_AUTOBUF struct td_buf what = {0};
        td_describe_slot(&r->docking.seen, &r->docking.judgement, 1 - r->gone, &what);
        td_fail_text(
            err, EINVAL,
            "Neither disk is member %c of %s, beside which the new one is to stand (the %s slot holds %s). Put "
            "member %c into the %s slot and the new disk into the %s slot.",
            stays, collection, td_slot_names[1 - r->gone], td_buf_text(&what), stays, td_slot_names[1 - r->gone],
            td_slot_names[r->gone]);
        return TD_EXIT_REFUSED;
    }
    if (r->kept == 1 - r->gone || r->docking.dock->slots_any)
        return 0;
    td_fail_text(err, EINVAL,
                 "Member %c of %s is in the %s slot. Move it to the %s slot, and the new disk to the %s slot.", stays,
                 collection, td_slot_names[r->kept], td_slot_names[r->made], td_slot_names[r->kept]);
    return TD_EXIT_REFUSED;
}

static int check_kept(struct replacing *r, struct td_error *err) {
    const struct td_slot *slot = &r->docking.seen.slots[r->kept];
    const char *flaw = td_slot_flaw(slot);
    if (flaw == NULL)
        return 0;
    td_fail_text(
        err, EUCLEAN,
        "Member %c of %s in the %s slot is the last one of its pair, and is not sound itself: %s. Put that right "
        "first (e2fsck -f %s).",
        "AB"[1 - r->gone], r -> pair -> collection, td_slot_names[r->kept], flaw, slot -> fs.device.node);
    return TD_EXIT_REFUSED;
}

/* Only the card that a replacing cut short has left, and that no run has used, is nobody's backup. */
static bool is_leftover(const struct replacing *r, const struct td_card *card) {
    return card->generation == 0 && card->last_run == 0 && card->member == "AB"[r->gone] &&
           strcasecmp(card->pair, r->pair->uuid) == 0;
}

static int check_new(struct replacing *r, struct td_error *err) {
    const struct td_match_result *match = match_in(r, r->made);
    struct td_card card;
    if (match->match == TD_MATCH_MEMBER || (match->match == TD_MATCH_PAIR && match->pair != r->pair)) {
        TD_AUTOBUF struct td_buf what = {0};
        td_describe_slot(&r->docking.seen, &r->docking.judgement, r->made, &what);
        td_fail_text(err, EINVAL,
                     "The %s slot holds %s, which is enrolled. It is not formatted; put an empty disk there.",
                     td_slot_names[r->made], td_buf_text(&what));
        return TD_EXIT_REFUSED;
    }
    int rc = td_enrolling_check_drive(&r->docking, r->made, r->pair, r->gone, r->request->erase, err);
    if (rc == 0)
        rc = td_enrolling_may_format(&r->docking, r->made, r->request->erase, err);
    if (rc == 0 && td_enrolling_card(&r->docking, r->made, &card) && !is_leftover(r, &card))
        rc = td_enrolling_refuse_card(&r->docking, r->made, &card, err);
    return rc;
}

/* Whatever the source holds now, the member that stays holds about as much. */
static int check_room(struct replacing *r, struct td_error *err) {
    uint64_t total, available, size = r->docking.seen.slots[r->made].at.size;
    struct td_write_protection hold;
    int root = td_mount_read_only(&r->docking.seen.slots[r->kept].fs.device, &hold, err);
    if (root < 0)
        return root;
    int rc = td_mount_space(root, &total, &available, err);
    close(root);
    td_write_protect_end(&hold);
    if (rc < 0)
        return rc;
    uint64_t used = total - available;
    if (used + used / 50 <= size) /* some 2 % are ext4's own */
        return 0;
    char needs[TD_SIZE_MAX], has[TD_SIZE_MAX];
    td_format_size(needs, used + used / 50);
    td_format_size(has, size);
    td_fail_text(err, ENOSPC, "The disk in the %s slot is too small: %s needs %s, and it has %s. Put in a larger one.",
                 td_slot_names[r->made], r->pair->collection, needs, has);
    return TD_EXIT_REFUSED;
}

static bool agreed(struct replacing *r) {
    TD_AUTOBUF struct td_buf question = {0};
    const struct td_replace_request *request = r->request;
    const struct td_member *old = &r->pair->members[r->gone];
    if (request->ask == NULL)
        return true;
    td_buf_printf(&question, "Everything on this disk will be lost:\n  %s slot: %s, ", td_slot_names[r->made],
                  r->docking.seen.slots[r->made].at.node);
    td_describe_slot(&r->docking.seen, &r->docking.judgement, r->made, &question);
    td_buf_printf(&question, "\nIt becomes member %c of %s", "AB"[r->gone], r -> pair -> collection);
    if (old->letter != 0 && old->identity.serial[0] != '\0') {
        td_buf_puts(&question, " in place of the one with the serial ");
        td_escape_text(&question, old->identity.serial);
    }
    td_buf_puts(&question, ". This one is not written to:\n");
    td_buf_printf(&question, "  %s slot: %s, ", td_slot_names[r->kept], r->docking.seen.slots[r->kept].fs.device.node);
    td_describe_slot(&r->docking.seen, &r->docking.judgement, r->kept, &question);
    return request->ask(request->ctx, question.data);
}

static int may_replace(struct replacing *r, struct td_error *err) {
    int (*const checks[])(struct replacing * r, struct td_error * err) = {find_pair,  check_verdict, find_kept,
                                                                          check_kept, check_new,     check_room};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        int rc = checks[i](r, err);
        if (rc != 0)
            return rc;
    }
    if (!agreed(r))
        return refuse(err, "Not confirmed; nothing was written.");
    if (!td_stop_asked(r->app->stop))
        return 0;
    refuse(err, "Stopped; nothing was written.");
    return TD_EXIT_SIGNAL + atomic_load(&r->app->stop->signal);
}

/* --- doing it -------------------------------------------------------------------------------------------------- */

/* Generation 0: behind every run there was, so that the next one brings it up to date like a twin long away. */
static int write_card(struct replacing *r, struct td_card *card, struct td_error *err) {
    const struct td_slot *slot = &r->docking.seen.slots[r->made];
    *card = (struct td_card){.member = "AB"[r->gone], .layout = TD_LAYOUT_TWINS};
    snprintf(card->pair, sizeof card->pair, "%s", r->pair->uuid);
    snprintf(card->collection, sizeof card->collection, "%s", r->pair->collection);
    if (gethostname(card->host, sizeof card->host - 1) != 0)
        card->host[0] = '\0';
    int rc = td_card_token(card->token, err);
    if (rc < 0)
        return rc;
    int root = td_mount_ext4(&slot->at, false, err);
    if (root < 0)
        return root;
    rc = td_card_write(root, card, err);
    if (rc == 0)
        rc = td_mount_checkpoint(root, err);
    close(root);
    return rc == 0 ? td_blockdev_wait_free(slot->at.node, 10000, err) : rc;
}

static int enter(struct replacing *r, const struct td_card *card, struct td_error *err) {
    const struct td_slot *slot = &r->docking.seen.slots[r->made];
    struct td_member member = {.letter = card->member, .identity = slot->identity, .size = slot->disk.size};
    snprintf(member.token, sizeof member.token, "%s", card->token);
    int rc = td_ledger_begin(r->ledger, err);
    if (rc < 0)
        return rc;
    rc = td_ledger_replace_member(r->ledger, r->pair->id, r->pair->members[r->gone].id, &member, err);
    if (rc == 0)
        rc = td_enrolling_record(r->ledger, r->pair, "enroll", r->docking.dock->name, 0, err);
    if (rc == 0)
        return td_ledger_commit(r->ledger, err);
    td_ledger_rollback(r->ledger);
    return rc;
}

static void say(const struct replacing *r, struct td_buf *out) {
    const struct td_slot *slot = &r->docking.seen.slots[r->made];
    const char letter = "AB"[r->gone], text[2] = {letter, '\0'};
    if (r->app->json) {
        struct td_json *json = td_json_object();
        td_json_text(json, "command", "enroll");
        td_json_text(json, "collection", r->pair->collection);
        td_json_text(json, "pair", r->pair->uuid);
        td_json_text(json, "replaced", text);
        td_json_text(json, "result", "done");
        td_json_int(json, "exit", 0);
        td_json_print(json, out);
        td_json_free(json);
        return;
    }
    td_buf_printf(out, "The disk in the %s slot, %s", td_slot_names[r->made], slot->at.node);
    if (slot->identity.serial[0] != '\0') {
        td_buf_puts(out, ", serial ");
        td_escape_text(out, slot->identity.serial);
    }
    td_buf_printf(out, ", is member %c of %s now, and still empty.\n", letter, r->pair->collection);
    td_buf_puts(out, "Mark it with its letter, leave both disks in, and have it filled and proven: twindock run\n");
}

static int replace(struct replacing *r, struct td_buf *out, struct td_error *err) {
    struct td_card card;
    int rc = may_replace(r, err);
    if (rc == 0)
        rc = td_enrolling_make(&r->docking, r->made, td_config_collection(r->app->config, r->pair->collection),
                               r->pair->uuid, r->gone, err);
    if (rc == 0)
        rc = write_card(r, &card, err);
    if (rc == 0)
        rc = enter(r, &card, err);
    if (rc == 0)
        say(r, out);
    return rc;
}

int td_command_replace(const struct td_app *app, const struct td_replace_request *request, struct td_buf *out,
                       struct td_error *err) {
    struct replacing r = {.app = app, .request = request};
    if (strcmp(request->member, "A") != 0 && strcmp(request->member, "B") != 0) {
        td_fail_text(err, EINVAL, "--replace takes A or B, the letter of the member that is gone");
        return TD_EXIT_USAGE;
    }
    r.gone = request->member[0] == 'A' ? 0 : 1;
    int rc = td_enrolling_check_names(app, request->collection, request->dock, err);
    if (rc == 0)
        rc = td_ledger_open(app->config->ledger, &r.ledger, err);
    if (rc != 0)
        return rc;
    rc = td_enrolling_open(&r.docking, app, request->dock, r.ledger, err);
    if (rc == 0) {
        rc = replace(&r, out, err);
        td_docking_close(&r.docking);
    }
    td_ledger_close(r.ledger);
    return rc;
}
