/* `check`: identify what is docked and judge it. Writes nothing. */
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/dock/source.h"
#include "twindock/run/commands.h"
#include "twindock/run/docking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The source's part of the verdict, for a dock that is otherwise ok. */
static int judge_source(struct td_docking *docking, struct td_buf *why, struct td_error *err) {
    struct td_judgement *judgement = &docking->judgement;
    if (judgement->verdict != TD_OK)
        return 0;
    const struct td_collection_config *collection = td_config_collection(docking->config, judgement->pair->collection);
    if (collection == NULL) {
        td_fail_text(err, EINVAL, "%s: collection %s is enrolled but has no section [collection %s]; add it",
                     docking->config->file, judgement->pair->collection, judgement->pair->collection);
        return TD_EXIT_CONFIG;
    }
    int source = td_source_open(collection, &docking->seen, why, err);
    if (source >= 0) {
        close(source);
        return 0;
    }
    if (source != -ENOENT)
        return source;
    judgement->verdict = TD_SOURCE_MISSING;
    judgement->detail = td_buf_text(why);
    return 0;
}

static int check_dock(const struct td_app *app, const struct td_dock_config *dock, struct td_ledger *ledger,
                      struct td_check *out, struct td_error *err) {
    TD_AUTOBUF struct td_buf why = {0};
    struct td_docking docking;
    td_docking_init(&docking, app->config, dock);
    int rc = td_docking_lock(&docking, err);
    if (rc == 0) {
        struct td_policy policy = td_docking_policy(&docking, false);
        rc = td_docking_look(&docking, ledger, TD_LOOK_ONCE, &policy, err);
    }
    if (rc == 0)
        rc = judge_source(&docking, &why, err);
    if (rc == 0)
        td_docking_check(&docking, out);
    td_docking_close(&docking);
    return rc;
}

static int open_ledger(const struct td_app *app, struct td_ledger **ledger, struct td_error *err) {
    int rc = td_ledger_open_reader(app->config->ledger, ledger, err);
    return rc == -ENOENT ? td_ledger_open(NULL, ledger, err) : rc;
}

int td_command_check(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    if (app->config->dock_count == 0) {
        td_fail_text(err, EINVAL, "%s has no section [dock NAME], so there is nothing to look at; add one",
                     app->config->file);
        return TD_EXIT_CONFIG;
    }
    struct td_ledger *ledger = NULL;
    size_t count = app->config->dock_count, done = 0;
    int worst = TD_EXIT_OK;
    struct td_check *checks = calloc(count + 1, sizeof *checks);
    int rc = checks == NULL ? td_fail(err, ENOMEM, "checking the docks") : open_ledger(app, &ledger, err);
    for (; rc == 0 && done < count; done++) {
        rc = check_dock(app, &app->config->docks[done], ledger, &checks[done], err);
        if (rc == 0 && checks[done].verdict != TD_OK)
            worst = TD_EXIT_REFUSED;
    }
    if (rc == 0 && app->json) {
        struct td_json *json = td_check_json(checks, count);
        td_json_print(json, out);
        td_json_free(json);
    } else if (rc == 0) {
        td_check_print(checks, count, out);
    }
    for (size_t i = 0; i < done; i++)
        td_docking_check_free(&checks[i]);
    free(checks);
    td_ledger_close(ledger);
    return rc != 0 ? rc : worst;
}
