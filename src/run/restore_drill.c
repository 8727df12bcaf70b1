/* An exercise: random files and versions brought back from the docked disks, proven and thrown away. */
#include "restore_private.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/platform/json.h"
#include "twindock/report/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int bring_back_one(void *ctx, const struct td_state *state) {
    struct td_restoring *restoring = ctx;
    TD_AUTOCLOSE int fd = openat(restoring->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : td_restore_content(restoring, state->entry.path, state->hash, fd);
    if (rc == 0) {
        restoring->files++;
        restoring->bytes += state->entry.size;
        return 0;
    }
    if (rc != -ENOENT)
        return td_fail(restoring->err, -rc, "cannot write a temporary file");
    /* With one member docked, what only the other has is nobody's fault. */
    if (td_docking_slot(&restoring->docking, TD_A) == NULL || td_docking_slot(&restoring->docking, TD_B) == NULL)
        return 0;
    restoring->failed++;
    td_restore_trouble(restoring, state->entry.path, "no disk has this version");
    return 0;
}

static void say(struct td_restoring *restoring, int code, struct td_buf *out) {
    if (!restoring->app->json) {
        td_buf_printf(out, "%s  drill: ", restoring->collection->name);
        td_text_count(out, restoring->files, "file or version", "files and versions");
        td_buf_puts(out, " (");
        td_text_size(out, restoring->bytes);
        td_buf_printf(out, ") brought back and proven; %ju failed, %ju damaged.\n", (uintmax_t)restoring->failed,
                      (uintmax_t)restoring->damaged);
        td_buf_puts(out, td_buf_text(&restoring->trouble));
        return;
    }
    struct td_json *json = td_json_object();
    td_json_text(json, "collection", restoring->collection->name);
    td_json_text(json, "command", "drill");
    td_json_int(json, "exit", code);
    td_json_int(json, "files", (int64_t)restoring->files);
    td_json_int(json, "bytes", (int64_t)restoring->bytes);
    td_json_int(json, "failed", (int64_t)restoring->failed);
    td_json_int(json, "damaged", (int64_t)restoring->damaged);
    td_json_set(json, "trouble", restoring->details);
    restoring->details = NULL;
    td_json_print(json, out);
    td_json_free(json);
}

int td_restore_drill(struct td_restoring *restoring, struct td_buf *out) {
    const char *where = getenv("TMPDIR");
    restoring->dir = open(where != NULL ? where : "/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (restoring->dir < 0)
        return td_fail(restoring->err, errno, "cannot open %s for temporary files", where != NULL ? where : "/var/tmp");
    int rc = td_ledger_pick(restoring->ledger, restoring->pair->id, restoring->request->drill, bring_back_one,
                            restoring, restoring->err);
    if (rc == -ECANCELED)
        return TD_EXIT_SIGNAL + atomic_load(&restoring->app->stop->signal);
    if (rc == 0)
        rc = td_ledger_drill(restoring->ledger, restoring->pair->id, td_wall_seconds(), restoring->files,
                             restoring->bytes, restoring->failed + restoring->damaged, restoring->err);
    if (rc != 0)
        return rc;
    int code = restoring->failed > 0 ? TD_EXIT_UNREADABLE : TD_EXIT_OK;
    if (restoring->damaged > 0)
        code = td_exit_worse(code, TD_EXIT_ROT);
    say(restoring, code, out);
    return code;
}
