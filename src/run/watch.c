/* `watch`: one run for each pair that is put in, where no systemd starts it. */
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/dock/observe.h"
#include "twindock/model/verdict.h"
#include "twindock/platform/udev_monitor.h"
#include "twindock/run/commands.h"
#include "twindock/run/need.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define STEADY_NS NS_PER_S /* both disks are there, and nothing has changed for so long */
#define SOON_MS 250        /* how often to look while disks are being put in */
#define TOLD_MS 10000      /* udevd tells when something happens; this is for what it does not tell */
#define UNTOLD_MS 2000     /* without udevd */

struct watched {
    const struct td_dock_config *dock;
    struct td_dock_glance seen;
    uint64_t handled[TD_SLOTS]; /* media that had their run; 0: none */
    int64_t since;              /* since when it is as it was seen */
};

static void say(const struct td_app *app, struct td_buf *out, const char *dock, const char *text) {
    char date[TD_DATE_MAX];
    td_format_date_short(date, td_wall_seconds());
    td_buf_printf(out, "%s %s: ", date, dock);
    td_escape_text(out, text);
    td_buf_putc(out, '\n');
    if (app->flush != NULL)
        app->flush(app->output, out);
}

/* A slot with a medium that has had no run yet, -1: none. What was taken out may come again. */
static int newcomer(struct watched *watched) {
    int found = -1;
    for (int s = 0; s < TD_SLOTS; s++) {
        if (watched->seen.medium[s] == 0)
            watched->handled[s] = 0;
        else if (watched->seen.medium[s] != watched->handled[s])
            found = s;
    }
    return found;
}

static bool is_settled(const struct watched *watched, int64_t now) {
    int64_t wait = watched->seen.full ? STEADY_NS : watched->dock->settle * NS_PER_S;
    return now - watched->since >= wait;
}

static void run_dock(const struct td_app *app, struct watched *watched, int slot, struct td_buf *out) {
    TD_AUTOBUF struct td_buf words = {0};
    struct td_error error = {0};
    struct td_run_request request = {.device = watched->seen.node[slot], .settled = true};
    memcpy(watched->handled, watched->seen.medium, sizeof watched->handled); /* however it ends: once */
    say(app, out, watched->dock->name, "a run begins");
    int rc = td_command_run(app, &request, out, &error);
    if (app->flush != NULL)
        app->flush(app->output, out);
    if (rc < 0 && error.code != 0)
        td_buf_printf(&words, "the run failed: %s", error.text);
    else if (rc == TD_EXIT_OK)
        td_buf_puts(&words, "the run is done");
    else
        td_buf_printf(&words, "the run ended with exit code %d; the next one begins when other disks are put in",
                      rc < 0 ? TD_EXIT_INTERNAL : rc);
    say(app, out, watched->dock->name, words.data);
}

/* Look into one dock, and run when there is reason to. True: disks are being put in, so look again soon. */
static bool attend(const struct td_app *app, struct watched *watched, struct td_buf *out) {
    struct td_dock_glance glance;
    int64_t now = td_boot_ns();
    if (td_dock_glance(watched->dock, &glance) < 0)
        return false; /* between two states; if it stays so, every other command says why */
    if (memcmp(glance.medium, watched->seen.medium, sizeof glance.medium) != 0)
        watched->since = now;
    watched->seen = glance;
    int slot = newcomer(watched);
    if (slot < 0)
        return false;
    if (watched->since == now)
        say(app, out, watched->dock->name, glance.full ? "disks are in" : "a disk is in; waiting for the other");
    if (is_settled(watched, now))
        run_dock(app, watched, slot, out);
    return true;
}

static void greet(const struct td_app *app, bool told, struct td_buf *out) {
    td_buf_printf(out, "Watching %zu dock%s, %s. Ctrl-C ends it.\n", app->config->dock_count,
                  app->config->dock_count == 1 ? "" : "s",
                  told ? "told by udevd" : "looking every two seconds, as no udevd runs here");
    td_buf_puts(out, "A run begins when disks are put in. The nightly run is cron's: see /etc/cron.d/twindock.\n");
    if (app->flush != NULL)
        app->flush(app->output, out);
}

static void watch(const struct td_app *app, struct td_udev_monitor *monitor, struct watched *docks,
                  struct td_buf *out) {
    while (!td_stop_asked(app->stop)) {
        bool soon = false;
        for (size_t i = 0; i < app->config->dock_count && !td_stop_asked(app->stop); i++)
            soon = attend(app, &docks[i], out) || soon;
        if (!td_stop_asked(app->stop))
            td_udev_monitor_wait(monitor, soon ? SOON_MS : monitor != NULL ? TOLD_MS : UNTOLD_MS);
    }
}

int td_command_watch(const struct td_app *app, struct td_buf *out, struct td_error *err) {
    struct td_udev_monitor *monitor = NULL;
    int lacking = td_need_dock(app->config, err);
    if (lacking != 0)
        return lacking;
    TD_AUTOFREE struct watched *docks = calloc(app->config->dock_count, sizeof *docks);
    if (docks == NULL)
        return td_fail(err, ENOMEM, "watching");
    int rc = td_udev_monitor_open(&monitor, err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    for (size_t i = 0; i < app->config->dock_count; i++)
        docks[i].dock = &app->config->docks[i];
    greet(app, monitor != NULL, out);
    watch(app, monitor, docks, out);
    td_udev_monitor_close(monitor);
    return TD_EXIT_SIGNAL + atomic_load(&app->stop->signal);
}
