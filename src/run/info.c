/* --info: every backup at a glance, from the ledger alone. */
#include "twindock/report/info.h"

#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/config/config.h"
#include "twindock/ledger/history.h"
#include "twindock/ledger/ledger.h"
#include "twindock/run/commands.h"
#include "twindock/run/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400

struct rows {
    struct td_ledger *ledger;
    const struct td_app *app;
    struct td_info_row *list;
    size_t count;
    int64_t now;
};

static void describe_state(const struct rows *rows, const struct td_info_fact *fact, struct td_info_state *state) {
    const struct td_collection_config *collection = td_config_collection(rows->app->config, fact->pair.collection);
    struct td_collection_config defaults;
    if (collection == NULL) {
        td_config_collection_defaults(&defaults);
        collection = &defaults;
    }
    int64_t age = rows->now - fact->last_backup;
    *state = (struct td_info_state){
        .running = fact->running,
        .interrupted = fact->interrupted,
        .never = fact->last_backup == 0,
        .phase = fact->phase,
        .done = fact->done,
        .all = fact->all,
        .last_failed = fact->last.id != 0 && fact->last.exit != TD_EXIT_OK,
        .last_exit = fact->last.exit,
        .verdict = fact->last.verdict,
        .last_end = fact->interrupted ? 0 : fact->last.ended, /* when it was cut off is not known */
        .last_reason = fact->last.reason,
        .overdue = fact->last_backup != 0 && age > collection->overdue,
        .overdue_days = age / DAY,
        .unproven = fact->files > 0 && rows->now - fact->oldest_proof > collection->prove_within,
    };
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
    for (size_t i = 0; i < rows->count; i++)
        free(rows->list[i].reason);
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

int td_info_overdue(const struct td_app *app, struct td_ledger *ledger, struct td_buf *out, struct td_error *err) {
    struct rows rows;
    int rc = gather(app, ledger, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.count; i++) {
        const struct td_info_row *row = &rows.list[i];
        if (row->overdue)
            td_buf_printf(out, "%s was last backed up %lld days ago; dock it tonight.\n", row->collection,
                          (long long)((rows.now - row->last_backup) / DAY));
    }
    release(&rows);
    return rc;
}

int td_command_info(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    struct td_ledger *ledger = NULL;
    struct rows rows = {0};
    int rc = td_ledger_open_reader(app->config->ledger, &ledger, err);
    if (rc == 0)
        rc = gather(app, ledger, &rows, err);
    else if (rc == -ENOENT) /* nothing was ever enrolled */
        rc = 0;
    if (rc == 0 && app->json) {
        struct td_json *json = td_info_json(rows.list, rows.count);
        td_json_print(json, out);
        td_json_free(json);
    } else if (rc == 0) {
        td_info_print(rows.list, rows.count, out);
    }
    release(&rows);
    td_ledger_close(ledger);
    return rc;
}
