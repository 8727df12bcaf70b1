/* `retire`: a pair, or a member that has died, is no longer enrolled. Only the ledger is written, no disk. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/platform/json.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct retiring {
    const struct td_app *app;
    const struct td_retire_request *request;
    const struct td_pair *pair;
    int member; /* 0: A, 1: B; -1: the whole pair */
};

static void say_member(const struct td_member *member, struct td_buf *out) {
    td_buf_printf(out, "member %c", member->letter);
    if (member->identity.serial[0] == '\0')
        return;
    td_buf_puts(out, " (");
    td_escape_text(out, member->identity.serial);
    td_buf_putc(out, ')');
}

/* The last full proof of a disk, which may be all that its owner has left then. */
static void say_proof(const struct td_member *member, struct td_buf *out) {
    char date[TD_DATE_MAX];
    if (member->last_proven == 0) {
        td_buf_puts(out, "which was never proven in full");
        return;
    }
    td_format_date(date, member->last_proven);
    td_buf_printf(out, "last proven in full %s", date);
}

static int choose(struct retiring *r, const struct td_pair *pairs, size_t count, struct td_error *err) {
    const char *name = r->request->collection, *letter = r->request->member;
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].collection, name) == 0)
            r->pair = &pairs[i];
    r->member = letter == NULL ? -1 : letter[0] == 'A' ? 0 : 1;
    if (r->pair == NULL)
        td_fail_text(err, ENOENT, "%s is not enrolled, so there is nothing to retire. See twindock --info.", name);
    else if (r->member < 0)
        return 0;
    else if (r->pair->members[r->member].letter == 0)
        td_fail_text(err, ENOENT, "Member %s of %s was retired before.", letter, name);
    else if (r->pair->members[1 - r->member].letter == 0)
        td_fail_text(err, EINVAL,
                     "Member %s is the only one that %s has left. To forget the whole pair, say `twindock retire %s`.",
                     letter, name, name);
    else
        return 0;
    return TD_EXIT_REFUSED;
}

static bool agreed(const struct retiring *r) {
    TD_AUTOBUF struct td_buf question = {0};
    if (r->request->ask == NULL)
        return true;
    if (r->member < 0) {
        td_buf_printf(&question,
                      "Pair %s of collection %s will be forgotten: its disks are not backed up to any more, and are "
                      "strangers when they are docked. Nothing on them is changed.",
                      r->pair->uuid, r->pair->collection);
    } else {
        const struct td_member *stays = &r->pair->members[1 - r->member];
        td_buf_printf(&question, "%s: ", r->pair->collection);
        say_member(&r->pair->members[r->member], &question);
        td_buf_puts(&question, " will be forgotten. What is left is ");
        say_member(stays, &question);
        td_buf_puts(&question, ", ");
        say_proof(stays, &question);
        td_buf_putc(&question, '.');
    }
    return r->request->ask(r->request->ctx, question.data);
}

static int carry_out(const struct retiring *r, struct td_ledger *ledger, struct td_error *err) {
    int rc = td_ledger_begin(ledger, err);
    if (rc < 0)
        return rc;
    rc = td_enrolling_record(ledger, r->pair, "retire", "", 0, err);
    if (rc == 0 && r->member < 0)
        rc = td_ledger_retire_pair(ledger, r->pair->id, err);
    else if (rc == 0)
        rc = td_ledger_retire_member(ledger, r->pair->id, r->pair->members[r->member].id, err);
    if (rc == 0)
        return td_ledger_commit(ledger, err);
    td_ledger_rollback(ledger);
    return rc;
}

static void say(const struct retiring *r, struct td_buf *out) {
    const char *name = r->pair->collection;
    if (r->app->json) {
        struct td_json *json = td_json_object();
        td_json_text(json, "command", "retire");
        td_json_text(json, "collection", name);
        td_json_text(json, "pair", r->pair->uuid);
        td_json_text(json, "member", r->request->member);
        td_json_text(json, "result", "done");
        td_json_int(json, "exit", 0);
        td_json_print(json, out);
        td_json_free(json);
    } else if (r->member < 0) {
        td_buf_printf(
            out,
            "Pair %s of %s is retired. Its disks keep all that is on them, old versions too (RESTORE.txt says how to "
            "get at them).\nTo take the two up again, dock them and say: twindock enroll %s\n",
            r->pair->uuid, name, name);
        if (td_config_collection(r->app->config, name) == NULL)
            td_buf_printf(out,
                          "That needs a section [collection %s]. Under another name, they are taken up with `target = "
                          "%s` (or the target that it had) in that one's section.\n",
                          name, name);
    } else {
        td_buf_printf(out,
                      "Member %s of %s is retired.\nTo put a new disk in its place, dock it beside member %c and say: "
                      "twindock enroll %s --replace %s\n",
                      r->request->member, name, "AB"[1 - r->member], name, r -> request -> member);
    }
}

static int retire(struct retiring *r, struct td_ledger *ledger, struct td_buf *out, struct td_error *err) {
    TD_AUTOCLOSE int lock = td_docking_lock_pair(r->app->config, r->pair, err);
    if (lock < 0)
        return lock;
    if (!agreed(r)) {
        td_fail_text(err, ECANCELED, "Not confirmed; nothing was changed.");
        return TD_EXIT_REFUSED;
    }
    int rc = carry_out(r, ledger, err);
    if (rc == 0)
        say(r, out);
    return rc;
}

int td_command_retire(const struct td_app *app, const struct td_retire_request *request, struct td_buf *out,
                      struct td_error *err) {
    struct retiring r = {.app = app, .request = request};
    struct td_ledger *ledger = NULL;
    struct td_pair *pairs = NULL;
    size_t count = 0;
    if (request->member != NULL && strcmp(request->member, "A") != 0 && strcmp(request->member, "B") != 0) {
        td_fail_text(err, EINVAL, "\"%s\" is no member of a pair, expected A or B", request->member);
        return TD_EXIT_USAGE;
    }
    int rc = td_ledger_open(app->config->ledger, &ledger, err);
    if (rc == 0)
        rc = td_ledger_pairs(ledger, &pairs, &count, err);
    if (rc == 0)
        rc = choose(&r, pairs, count, err);
    if (rc == 0)
        rc = retire(&r, ledger, out, err);
    free(pairs);
    td_ledger_close(ledger);
    return rc;
}
