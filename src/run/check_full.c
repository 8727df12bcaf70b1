#include "twindock/run/check_full.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/config/config.h"
#include "twindock/run/halves.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct checking {
    const struct td_app *app;
    struct td_ledger *ledger;
    struct td_docking *docking;
    const struct td_pair *pair;
    struct td_run run;
    struct td_halves halves;
    char letter[TD_SLOTS]; /* of the member in each slot */
};

bool td_check_holds_halves(const struct td_docking *docking) {
    const struct td_match_result *match = docking->judgement.slots;
    return docking->seen.mode == TD_MODE_INDIVIDUAL && !docking->seen.one_device && match[0].match == TD_MATCH_MEMBER &&
           match[1].match == TD_MATCH_MEMBER && match[0].pair == match[1].pair &&
           match[0].pair->layout == TD_LAYOUT_MIRRORED && docking->judgement.verdict != TD_DOCK_MERGED;
}

static int begin(struct checking *checking, struct td_error *err) {
    struct td_run *run = &checking->run;
    const struct td_match_result *match = checking->docking->judgement.slots;
    *run = (struct td_run){.command = "check", .pair = checking->pair->id, .started = td_wall_seconds()};
    run->verdict = checking->docking->judgement.verdict;
    run->previous_exit = td_notify_previous_exit(checking->ledger, run->pair);
    snprintf(run->collection, sizeof run->collection, "%s", checking->pair->collection);
    snprintf(run->uuid, sizeof run->uuid, "%s", checking->pair->uuid);
    snprintf(run->dock, sizeof run->dock, "%s", checking->docking->dock->name);
    if (gethostname(run->host, sizeof run->host - 1) != 0)
        run->host[0] = '\0';
    /* Behind a bridge that says the same of both, the source slot's is called A. */
    bool same = match[0].member == match[1].member;
    for (int slot = 0; slot < TD_SLOTS; slot++)
        checking->letter[slot] = "AB"[same ? slot : match[slot].member];
    for (int side = TD_A; side <= TD_B; side++)
        snprintf(run->state[side], sizeof run->state[side], "untouched");
    return td_ledger_run_begin(checking->ledger, run, err);
}

/* --- what is recorded ------------------------------------------------------------------------------------ */

static int64_t generation_in(const struct checking *checking, int slot) {
    const struct td_slot *in = &checking->docking->seen.slots[slot];
    return in->card_state == TD_CARD_READ ? in->card.generation : 0;
}

/* The other half of a pair that was made in a dock that mirrors is seen for the first time. */
static int learn_drive(struct checking *checking, int slot, struct td_error *err) {
    const struct td_slot *in = &checking->docking->seen.slots[slot];
    const struct td_member *member = &checking->pair->members[checking->letter[slot] == 'A' ? 0 : 1];
    const struct td_slot *other = &checking->docking->seen.slots[1 - slot];
    bool unknown = member->identity.source == TD_IDENTITY_NONE;
    if (!unknown || !td_drive_speaks(&in->identity) || td_drive_alike(&in->identity, &other->identity))
        return 0;
    /* Whose drive it is must be certain: the other one is where it belongs, by its own word. */
    if (strcmp(checking->docking->judgement.slots[1 - slot].rests_on, "card") == 0)
        return 0;
    return td_ledger_learn_drive(checking->ledger, member->id, &in->identity, in->disk.size, err);
}

/* They are the same, and what they are the ledger knows: each has the generation on its card, and the proofs of the
 * other. */
static int record_same(struct checking *checking, struct td_error *err) {
    int rc = td_ledger_begin(checking->ledger, err);
    if (rc != 0)
        return rc;
    rc = td_ledger_set_differs(checking->ledger, checking->pair->id, 0, err);
    if (rc == 0)
        rc = td_ledger_share_proofs(checking->ledger, checking->pair->id, err);
    for (int slot = 0; slot < TD_SLOTS && rc == 0; slot++) {
        const struct td_member *member = &checking->pair->members[checking->letter[slot] == 'A' ? 0 : 1];
        rc = td_ledger_confirm(checking->ledger, checking->pair->id, member->id, generation_in(checking, slot), err);
        if (rc == 0)
            rc = learn_drive(checking, slot, err);
        if (rc == 0 && checking->pair->generation > 0)
            rc = td_ledger_member_state(checking->ledger, member->id, "ok", td_wall_seconds(), err);
    }
    if (rc == 0)
        return td_ledger_commit(checking->ledger, err);
    td_ledger_rollback(checking->ledger);
    return rc;
}

/* The same, but not what the ledger's last run has left: nothing is known of what they are the same in. */
static bool is_known_state(const struct checking *checking, struct td_buf *why) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        int64_t generation = generation_in(checking, slot);
        if (generation >= checking->pair->generation && generation <= checking->pair->intent)
            continue;
        td_buf_printf(why,
                      " But both are of generation %" PRId64 ", and the ledger's last run made %" PRId64
                      ": %s. This is no proof of the last backup.",
                      generation, checking->pair->generation,
                      generation < checking->pair->generation ? "they missed earlier backups"
                                                              : "they were written by a run that it does not know");
        return false;
    }
    return true;
}

/* --- the end --------------------------------------------------------------------------------------------- */

static void say_stale(const struct checking *checking, struct td_buf *out) {
    int64_t a = generation_in(checking, 0), b = generation_in(checking, 1);
    if (a != b)
        td_buf_printf(out,
                      " Member %c missed backups: its card is of generation %" PRId64 ", the other's of %" PRId64 ".",
                      checking->letter[a < b ? 0 : 1], a < b ? a : b, a < b ? b : a);
}

static int judge(struct checking *checking, int rc, struct td_error *err) {
    TD_AUTOBUF struct td_buf reason = {0};
    struct td_run *run = &checking->run;
    const struct td_halves *halves = &checking->halves;
    run->result = TD_RESULT_DONE;
    if (rc == -ECANCELED) {
        run->result = TD_RESULT_INTERRUPTED;
        run->exit = TD_EXIT_SIGNAL + atomic_load(&checking->app->stop->signal);
        td_buf_puts(&reason, "The comparison was stopped; nothing is proven by it. Run it again.");
    } else if (rc != 0 && halves->lost < 0) {
        return rc;
    } else {
        td_halves_sentence(halves, run->collection, checking->letter, &reason);
        run->exit = halves->lost >= 0         ? TD_EXIT_MEMBER_LOST
                    : halves->different > 0   ? TD_EXIT_ROT
                    : !td_halves_same(halves) ? TD_EXIT_UNREADABLE
                                              : TD_EXIT_OK;
        if (run->exit == TD_EXIT_MEMBER_LOST)
            run->result = TD_RESULT_FAILED;
        if (halves->different > 0)
            say_stale(checking, &reason);
    }
    rc = 0;
    if (run->exit == TD_EXIT_ROT)
        rc = td_ledger_set_differs(checking->ledger, run->pair, run->id, err);
    else if (run->exit == TD_EXIT_OK && is_known_state(checking, &reason))
        rc = record_same(checking, err);
    else if (run->exit == TD_EXIT_OK)
        run->exit = TD_EXIT_REFUSED;
    run->reason = td_buf_take(&reason);
    return rc;
}

static void set_states(struct checking *checking) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        char *state = checking->run.state[checking->letter[slot] == 'A' ? TD_A : TD_B];
        const char *word = checking->halves.lost == slot      ? "lost"
                           : checking->run.exit == TD_EXIT_OK ? "ok"
                                                              : "unproven";
        snprintf(state, sizeof checking->run.state[0], "%s", word);
    }
}

/* For people: what was compared, where it differs, the sentence. For machines: the run, and "comparison" in it. */
static int report(struct checking *checking, struct td_check *check, struct td_error *err) {
    TD_AUTOBUF struct td_buf said = {0}, safe = {0};
    if (!checking->app->json)
        td_halves_list(&checking->halves, checking->letter, &said);
    int rc = td_notify_print(checking->app, checking->ledger, &checking->run,
                             td_docking_safe(checking->docking, NULL, 0, &safe), &said, err);
    if (rc != 0)
        return rc;
    if (!checking->app->json) {
        check->full = td_buf_take(&said);
        return 0;
    }
    check->full_json = td_json_parse(td_buf_text(&said), said.len, err);
    if (check->full_json == NULL)
        return -err->code;
    td_json_set(check->full_json, "comparison", td_halves_json(&checking->halves, checking->letter));
    return 0;
}

/* Compare and record; what goes wrong for reasons of our own is recorded, too. */
static int compare(struct checking *checking, bool every_block, struct td_error *err) {
    struct td_run *run = &checking->run;
    const struct td_collection_config *collection = td_config_collection(checking->app->config, run->collection);
    const char *target = collection != NULL ? collection->target : run->collection;
    int rc = td_halves_compare(checking->app, checking->docking, checking->ledger, run->id, every_block,
                               &checking->halves, err);
    if (rc == 0)
        td_halves_name(checking->app, checking->docking, checking->ledger, run->pair, target, &checking->halves);
    rc = judge(checking, rc, err);
    if (rc != 0) {
        run->result = TD_RESULT_FAILED;
        run->exit = TD_EXIT_INTERNAL;
        free(run->reason);
        run->reason = strdup(err->text);
    }
    set_states(checking);
    run->ended = td_wall_seconds();
    return td_notify_end(checking->app, checking->ledger, run, &checking->docking->seen, false, err);
}

int td_check_halves(const struct td_app *app, struct td_ledger *ledger, struct td_docking *docking, bool every_block,
                    struct td_check *check, struct td_run *finished, struct td_error *err) {
    struct checking *checking = calloc(1, sizeof *checking);
    int interrupted = 0;
    if (checking == NULL)
        return td_fail(err, ENOMEM, "comparing the disks");
    checking->app = app;
    checking->ledger = ledger;
    checking->docking = docking;
    checking->pair = docking->judgement.slots[0].pair;
    int rc = td_ledger_run_interrupted(ledger, checking->pair->id, &interrupted, err);
    if (rc == 0)
        rc = begin(checking, err);
    if (rc == 0)
        rc = compare(checking, every_block, err);
    if (rc == 0)
        rc = report(checking, check, err);
    *finished = checking->run;
    td_halves_free(&checking->halves);
    rc = rc == 0 ? checking->run.exit : rc;
    free(checking);
    return rc;
}
