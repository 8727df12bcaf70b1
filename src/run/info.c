/* --info: every backup at a glance, from the ledger alone. */
#include "twindock/report/info.h"

#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/ledger/history.h"
#include "twindock/ledger/mails.h"
#include "twindock/platform/blockdev.h"
#include "twindock/platform/mount.h"
#include "twindock/report/text.h"
#include "twindock/run/commands.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DAY 86400
#define PARTITIONS_MAX 128
#define NAMED 3         /* overdue pairs in a subject, by their names */
#define SURE_AFTER_S 10 /* a pace taken over less says nothing */
#define WORTH_TELLING_S 120

struct rows {
    struct td_ledger *ledger;
    const struct td_app *app;
    struct td_info_row *list;
    size_t count;
    int64_t now;
};

/* What a good run takes: its proof is the most of it. 0: not known. */
static int64_t usual_time(const struct td_info_fact *fact) {
    const struct td_run *last = &fact->last;
    bool good = last->id != 0 && last->exit == TD_EXIT_OK && last->result == TD_RESULT_DONE &&
                strcmp(last->command, "run") == 0;
    return good && last->ended > last->started + WORTH_TELLING_S ? last->ended - last->started : 0;
}

static bool is_before_proof(const char *phase) {
    static const char *const phases[] = {"looking", "planning", "copying"};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
        if (strcmp(phase, phases[i]) == 0)
            return true;
    return false;
}

/* From the pace of this phase so far; and as long as the proof is still to come, from what it took the last time. */
static int64_t time_left(const struct rows *rows, const struct td_info_fact *fact) {
    int64_t took = rows->now - fact->phase_since;
    if (!fact->running)
        return 0;
    int64_t later = is_before_proof(fact->phase) ? usual_time(fact) : 0;
    if (fact->phase_since == 0 || took < SURE_AFTER_S || fact->done == 0 || fact->done >= fact->all)
        return later;
    return (int64_t)((double)(fact->all - fact->done) / (double)fact->done * (double)took) + 1 + later;
}

/* Is this still the medium that the run had? Asks the kernel, not the disk. */
static bool still_there(dev_t number, uint64_t sequence) {
    struct td_blockdev now;
    return td_blockdev_from_number(number, &now, NULL) == 0 && now.diskseq != 0 && now.diskseq == sequence;
}

/* Is any partition of this disk mounted but `number`, the member's? */
static bool other_in_use(dev_t number) {
    struct td_blockdev at, *parts = calloc(PARTITIONS_MAX, sizeof *parts);
    bool in_use = false;
    int count = 0;
    if (parts != NULL && td_blockdev_from_number(number, &at, NULL) == 0)
        count = td_blockdev_partitions(&at, parts, PARTITIONS_MAX, NULL);
    for (int i = 0; i < count && !in_use; i++)
        in_use = parts[i].number != number && td_mount_in_use(parts[i].number);
    free(parts);
    return in_use;
}

/* What the run said holds as long as its disks are where they were, and nobody else has mounted one, or another
 * partition of it. */
static void describe_safety(const struct td_info_fact *fact, struct td_info_row *row) {
    unsigned major_number, minor_number;
    unsigned long long sequence;
    char letter;
    int all = 0, there = 0, used = 0;
    bool in_use = false;
    for (const char *at = fact->disks;
         sscanf(at, " %c %u:%u/%llu%n", &letter, &major_number, &minor_number, &sequence, &used) == 4; at += used) {
        dev_t number = makedev(major_number, minor_number);
        all++;
        if (!still_there(number, sequence))
            continue;
        if (td_mount_in_use(number))
            return;
        in_use = in_use || other_in_use(number);
        there++;
    }
    if (in_use)
        row->safe = strdup("Another partition of a disk in the dock is mounted; unmount it before you take that disk "
                           "out.");
    else if (there > 0 && fact->safe[0] != '\0')
        row->safe = strdup(there == all ? fact->safe : "The disk that is still in the dock is safe to remove.");
}

/* A retired member; one that took another's place and has seen no run; and one that
 * was away, or not shown, when the other was written. */
static void describe_members(const struct td_pair *pair, struct td_info_state *state) {
    for (int i = 0; i < 2; i++) {
        const struct td_member *member = &pair->members[i];
        if (member->letter == 0)
            state->gone = "AB"[i];
        else if (td_pair_member_is_new(pair, i))
            state->fresh = member->letter;
        else if (member->generation < pair->generation)
            state->behind = member->letter;
    }
    state->mirrored = pair->layout == TD_LAYOUT_MIRRORED;
}

static void describe_state(const struct rows *rows, const struct td_info_fact *fact, struct td_info_state *state) {
    const struct td_collection_config *collection = td_config_collection(rows->app->config, fact->pair.collection);
    struct td_collection_config defaults;
    if (collection == NULL) {
        td_config_collection_defaults(&defaults);
        collection = &defaults;
    }
    bool refused = fact->last.result == TD_RESULT_REFUSED;
    int64_t age = rows->now - (fact->last_backup != 0 ? fact->last_backup : fact->enrolled);
    *state = (struct td_info_state){
        .running = fact->running,
        .interrupted = fact->interrupted,
        .never = fact->last_backup == 0,
        .phase = fact->phase,
        .done = fact->done,
        .all = fact->all,
        .left = time_left(rows, fact),
        .last_failed = fact->last.id != 0 && fact->last.exit != TD_EXIT_OK,
        .last_exit = fact->last.exit,
        .verdict = refused ? fact->last.verdict : TD_OK,      /* check --full reads whatever the verdict is */
        .last_end = fact->interrupted ? 0 : fact->last.ended, /* when it was cut off is not known */
        .last_reason = fact->last.reason,
        .overdue = age > collection->overdue,
        .overdue_days = age / DAY,
        .unproven = fact->files > 0 && rows->now - fact->oldest_proof > collection->prove_within,
    };
    describe_members(&fact->pair, state);
}

static int add_row(void *ctx, const struct td_info_fact *fact) {
    struct rows *rows = ctx;
    struct td_info_state state;
    struct td_info_row *grown = reallocarray(rows->list, rows->count + 1, sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    rows->list = grown;
    struct td_info_row *row = &rows->list[rows->count++];
    *row = (struct td_info_row){
        .last_backup = fact->last_backup,
        .used = fact->used,
        .free = fact->free,
        .sized = fact->used != 0 || fact->free != 0,
    };
    snprintf(row->collection, sizeof row->collection, "%s", fact->pair.collection);
    snprintf(row->uuid, sizeof row->uuid, "%s", fact->pair.uuid);
    memcpy(row->members, fact->pair.members, sizeof row->members);
    describe_state(rows, fact, &state);
    row->overdue = state.overdue;
    describe_safety(fact, row);
    if (td_ledger_last_drill(rows->ledger, fact->pair.id, &row->last_drill, NULL) != 0)
        row->last_drill = 0;
    td_info_flag(row, &state);
    return 0;
}

static int gather(const struct td_app *app, struct td_ledger *ledger, struct rows *rows, struct td_error *err) {
    *rows = (struct rows){.app = app, .ledger = ledger, .now = td_wall_seconds()};
    return td_ledger_info(ledger, add_row, rows, err);
}

static void release(struct rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->list[i].reason);
        free(rows->list[i].safe);
    }
    free(rows->list);
}

int td_info_text(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_error *err) {
    struct rows rows;
    int rc = gather(app, ledger, &rows, err);
    if (rc == 0)
        td_info_print(rows.list, rows.count, out);
    release(&rows);
    return rc;
}

/* Where the last run failed the table has what to do; else it is to dock the pair. */
static void say_overdue(const struct td_info_row *row, int64_t now, struct td_buf *out) {
    bool failed = row->flag == '!';
    td_buf_puts(out, row->collection);
    if (row->last_backup == 0) {
        td_buf_puts(out, " was never backed up");
    } else {
        td_buf_puts(out, failed ? " has had no run without fault for " : " was last backed up ");
        td_text_count(out, (uint64_t)((now - row->last_backup) / DAY), "day", "days");
        td_buf_puts(out, failed ? "" : " ago");
    }
    td_buf_puts(out, failed ? "; the table below says what to do.\n" : "; dock it tonight.\n");
}

int td_info_overdue(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_buf *names,
                    struct td_error *err) {
    struct rows rows;
    size_t late = 0, named = 0;
    int rc = gather(app, ledger, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.count; i++)
        late += rows.list[i].overdue && rows.list[i].flag != '*';
    for (size_t i = 0; rc == 0 && i < rows.count; i++) {
        const struct td_info_row *row = &rows.list[i];
        if (!row->overdue || row->flag == '*')
            continue;
        say_overdue(row, rows.now, out);
        if (late <= NAMED)
            td_buf_printf(names, "%s%s", named == 0 ? "" : named + 1 == late ? " and " : ", ", row->collection);
        named++;
    }
    if (late > NAMED)
        td_buf_printf(names, "%zu pairs", late);
    if (late > 0)
        td_buf_puts(names, late == 1 ? " is" : " are");
    release(&rows);
    return rc;
}

int td_command_info(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct rows rows = {0};
    struct td_info_mail mail = {0};
    TD_AUTOBUF struct td_buf error = {0};
    int rc = td_ledger_open_reader(app->config->ledger, &ledger, err);
    if (rc == 0) {
        rc = gather(app, ledger, &rows, err);
        if (rc == 0)
            rc = td_ledger_mail_kept(ledger, &mail.kept, &mail.since, &error, err);
        mail.error = td_buf_text(&error);
    } else if (rc == -ENOENT) { /* nothing was ever enrolled */
        rc = 0;
    }
    if (rc == 0 && app->json) {
        struct td_json *json = td_info_json(rows.list, rows.count);
        td_info_json_mail(&mail, json);
        td_json_print(json, out);
        td_json_free(json);
    } else if (rc == 0) {
        td_info_print(rows.list, rows.count, out);
        td_info_print_mail(&mail, out);
    }
    release(&rows);
    td_ledger_close(ledger);
    return rc;
}
