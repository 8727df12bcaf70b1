/* `history`: what changed when. Reads the ledger alone. */
#include "twindock/ledger/history.h"

#include "restore_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/platform/json.h"
#include "twindock/report/text.h"
#include "twindock/run/commands.h"
#include "twindock/run/need.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    const struct td_app *app;
    const struct td_collection_config *collection;
    struct td_json *list;
    struct td_buf *out;
    uint64_t count;
};

static const char *kind_of(const struct td_entry *entry) {
    return S_ISREG(entry->mode)   ? "file"
           : S_ISDIR(entry->mode) ? "directory"
           : S_ISLNK(entry->mode) ? "symlink"
                                  : "special";
}

/* Where it can be had from. */
static void how(const struct td_change *change, char out[32]) {
    static const struct {
        char letter;
        const char *word;
    } words[] = {{'l', "now"}, {'w', "whole"}, {'d', "delta"}};
    char first = change->how[TD_A] != 0 ? change->how[TD_A] : change->how[TD_B];
    const char *word = !S_ISREG(change->state.entry.mode) ? "-" : "elsewhere";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].letter == first)
            word = words[i].word;
    snprintf(out, 32, "%s%s%s", word, first == 0 || change->how[TD_A] == 0 ? "" : " A",
             first == 0 || change->how[TD_B] == 0 ? ""
             : change->how[TD_A] != 0             ? "B"
                                                  : " B");
}

static void list_change(struct listing *listing, const struct td_change *change) {
    const struct td_state *state = &change->state;
    struct td_json *item = td_json_append(listing->list, td_json_object());
    char when[TD_ISO_MAX], hex[2 * TD_HASH_LEN + 1], where[32];
    how(change, where);
    td_hex(hex, state->hash, TD_HASH_LEN);
    td_json_path(item, "path", state->entry.path);
    td_json_text(item, "kind", kind_of(&state->entry));
    td_json_int(item, "since_run", state->since);
    td_json_text(item, "since", td_text_iso(when, change->began));
    if (state->until != 0) {
        td_json_int(item, "until_run", state->until);
        td_json_text(item, "until", td_text_iso(when, change->ended));
    } else {
        td_json_null(item, "until_run");
        td_json_null(item, "until");
    }
    td_json_text(item, "ended_by", state->until == 0 ? NULL : change->gone ? "deleted" : "changed");
    td_json_int(item, "size", (int64_t)state->entry.size);
    td_json_int(item, "mtime", state->entry.mtime.tv_sec);
    td_json_int(item, "mode", state->entry.mode & 07777);
    td_json_text(item, "sha256", state->has_hash ? hex : NULL);
    td_json_text(item, "kept", where);
    for (int side = TD_A; side <= TD_B; side++)
        if (change->how[side] == 'w' || change->how[side] == 'd')
            td_json_int(item, side == TD_A ? "stored_a" : "stored_b", (int64_t)change->stored[side]);
}

static int show_change(void *ctx, const struct td_change *change) {
    struct listing *listing = ctx;
    const struct td_state *state = &change->state;
    char since[TD_MOMENT_MAX], until[TD_MOMENT_MAX], where[32], size[TD_SIZE_MAX];
    listing->count++;
    if (listing->list != NULL) {
        list_change(listing, change);
        return 0;
    }
    if (listing->count == 1)
        td_buf_printf(listing->out, "%-19s  %-19s  %-8s %4s  %-12s %s\n", "Since", "Until", "", "Size", "Kept", "Path");
    td_format_moment(since, change->began);
    td_format_moment(until, change->ended);
    how(change, where);
    td_format_size(size, state->entry.size);
    td_buf_printf(listing->out, "%-19s  %-19s  %-8s %4s  %-12s ", since, state->until != 0 ? until : "now",
                  state->until == 0 ? ""
                  : change->gone    ? "deleted"
                                    : "changed",
                  S_ISREG(state->entry.mode) ? size : "-", where);
    td_text_path(listing->out, listing->collection->name, state->entry.path);
    if (S_ISDIR(state->entry.mode))
        td_buf_putc(listing->out, '/');
    td_buf_putc(listing->out, '\n');
    return 0;
}

static int find_pair(struct td_ledger *ledger, const char *collection, int64_t *pair, struct td_error *err) {
    TD_AUTOFREE struct td_pair *pairs = NULL;
    size_t count = 0;
    int rc = td_ledger_pairs(ledger, &pairs, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (strcmp(pairs[i].collection, collection) == 0)
            *pair = pairs[i].id;
    return rc;
}

static int show(struct listing *listing, struct td_ledger *ledger, int64_t pair, const char *typed,
                struct td_error *err) {
    TD_AUTOFREE char *plain = td_restore_plain_path(listing->collection, typed != NULL ? typed : "");
    if (plain == NULL)
        return td_fail(err, ENOMEM, "listing the history");
    int rc = 0;
    if (typed != NULL && *typed != '/' && strcmp(typed, plain) != 0)
        rc = td_ledger_changes(ledger, pair, typed, show_change, listing, err);
    if (rc == 0 && listing->count == 0)
        rc = td_ledger_changes(ledger, pair, plain, show_change, listing, err);
    return rc;
}

/* Nothing is there to list; does the ledger know the path at all? 1, 0, or a negative errno. */
static int knows(const struct listing *listing, struct td_ledger *ledger, int64_t pair, const char *typed,
                 struct td_error *err) {
    TD_AUTOFREE char *plain = td_restore_plain_path(listing->collection, typed);
    if (plain == NULL)
        return td_fail(err, ENOMEM, "listing the history");
    if (*plain == '\0')
        return 1;
    int known = td_ledger_knows_path(ledger, pair, plain, err);
    return known != 0 ? known : td_ledger_knows_path(ledger, pair, typed, err);
}

int td_command_history(const struct td_app *app, const char *collection, const char *path, struct td_buf *out,
                       struct td_error *err) {
    struct listing listing = {.app = app, .collection = td_config_collection(app->config, collection), .out = out};
    int lacking = td_need_collection(app->config, collection, err);
    struct td_ledger *ledger = NULL;
    int64_t pair = 0;
    int known = 1;
    if (lacking != 0)
        return lacking;
    int rc = td_ledger_open_reader(app->config->ledger, &ledger, err);
    if (rc == 0)
        rc = find_pair(ledger, collection, &pair, err);
    if (rc == -ENOENT || (rc == 0 && pair == 0)) /* without a ledger there are no pairs */
        rc = td_fail_text(err, ENOENT, "no pair is enrolled for %s", collection);
    struct td_json *json = rc == 0 && app->json ? td_json_object() : NULL;
    if (json != NULL) {
        td_json_text(json, "collection", collection);
        listing.list = td_json_set(json, "versions", td_json_array());
    }
    if (rc == 0)
        rc = show(&listing, ledger, pair, path, err);
    if (rc == 0 && listing.count == 0 && path != NULL)
        known = knows(&listing, ledger, pair, path, err);
    if (known < 0)
        rc = known;
    if (rc == 0 && json != NULL)
        td_json_print(json, out);
    else if (rc == 0 && listing.count == 0)
        td_buf_printf(out, "%s: %s.\n", collection,
                      known == 0     ? "nothing is known of that path"
                      : path != NULL ? "nothing has changed there"
                                     : "nothing has changed");
    td_json_free(json);
    td_ledger_close(ledger);
    return rc == -ENOENT ? TD_EXIT_REFUSED : rc;
}
