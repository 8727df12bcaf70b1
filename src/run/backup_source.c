/* A source that comes later: after a boot with disks in the dock, the array may take a while. */
#include "twindock/base/clock.h"
#include "twindock/dock/source.h"
#include "twindock/run/backup.h"

#include <errno.h>
#include <time.h>

#define LOOK_EVERY_MS 500
#define UNASKED_S (5 * 60) /* nobody waits for an answer when a run was not begun by hand */

static int64_t patience(const struct td_backup *backup) {
    if (backup->collection->source_wait >= 0)
        return backup->collection->source_wait;
    return backup->request->device != NULL || backup->request->nightly ? UNASKED_S : 0;
}

static void tell_waiting(struct td_backup *backup, int64_t wait) {
    TD_AUTOBUF struct td_buf text = {0};
    struct td_error ignored = {0};
    char span[32];
    td_format_span(span, wait);
    td_buf_printf(&text, "Waiting up to %s for the source of %s, %s.", span, backup->collection->name,
                  backup->collection->source);
    td_progress_say(backup->progress, text.data);
    if (backup->run.id != 0)
        td_ledger_run_progress(backup->ledger, backup->run.id, "waiting for the source", 0, 0, &ignored);
}

int td_backup_source(struct td_backup *backup, struct td_buf *why, struct td_error *err) {
    const struct td_stop *stop = backup->app->stop;
    int64_t wait = patience(backup), until = td_boot_ns() + wait * 1000000000;
    bool told = false;
    for (;;) {
        td_buf_clear(why);
        int fd = td_source_open(backup->collection, &backup->docking.seen, why, err);
        if (fd != -ENOENT || td_boot_ns() >= until || td_stop_late(stop, 0))
            return fd;
        if (!told)
            tell_waiting(backup, wait);
        told = true;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_MS * 1000000L}, NULL);
        if (td_stop_asked(stop))
            return -ECANCELED;
    }
}
