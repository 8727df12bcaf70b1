/* `accept`: what the source holds now is right. The ledger takes its word; the next run copies it. */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/run/docking.h"
#include "twindock/run/held.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <string.h>

struct accepting {
    struct td_held held;
    void *buffer;
    struct td_error *err;
};

/* The file as it is now, described by the state that was read. 0, or the errno; EAGAIN: it will not stand still. */
static int read_source(struct accepting *a, const char *path, struct td_file *out) {
    struct td_hash_result result;
    const char *name;
    td_hash_file(a->held.source, path, a->buffer, &result);
    if (result.error != 0 || result.changing)
        return result.changing ? EAGAIN : result.error;
    TD_AUTOCLOSE int dir = td_open_parent(a->held.source, path, &name);
    int rc = dir < 0 ? dir : td_entry_read(dir, name, &out->entry);
    if (rc < 0)
        return -rc;
    if (out->entry.target != NULL)
        td_cleanup_ptr(&out->entry.target);
    out->entry.target = NULL;
    if (out->entry.ino != result.stat.st_ino || !td_same_time(&out->entry.ctime, &result.stat.st_ctim))
        return EAGAIN;
    out->has_hash = true;
    memcpy(out->hash, result.hash, TD_HASH_LEN);
    return 0;
}

/* The members' copies are proven no longer, unless they are what the source holds after all. */
static int enter(struct accepting *a, char *const *names, struct td_file *file) {
    int rc = td_ledger_begin(a->held.ledger, a->err);
    for (; rc == 0 && *names != NULL; names++) {
        struct td_file known;
        rc = td_ledger_file(a->held.ledger, a->held.pair.id, *names, &known, a->err);
        if (rc != 0)
            break;
        bool same = known.has_hash && memcmp(known.hash, file->hash, TD_HASH_LEN) == 0;
        file->accepted = !same;
        file->proven_at[TD_SOURCE] = td_wall_seconds();
        for (int side = TD_A; side <= TD_B; side++) {
            file->cycle[side] = same ? known.cycle[side] : 0;
            file->proven_at[side] = same ? known.proven_at[side] : 0;
        }
        file->entry.path = *names;
        rc = td_ledger_put_file(a->held.ledger, a->held.pair.id, file, a->err);
        if (rc == 0)
            rc = td_held_tell(&a->held, TD_INCIDENT_NOTED, TD_CAUSE_ACCEPTED, *names, 0, NULL, a->err);
    }
    if (rc == 0)
        return td_ledger_commit(a->held.ledger, a->err);
    td_ledger_rollback(a->held.ledger);
    return rc;
}

static int accept_one(struct accepting *a, const char *path) {
    struct td_file file = {0};
    char **names = NULL;
    size_t count = 0;
    int error = read_source(a, path, &file);
    if (error == EAGAIN)
        return td_held_tell(&a->held, TD_INCIDENT_UNREADABLE, TD_CAUSE_CHANGING, path, 0, NULL, a->err);
    if (error != 0)
        return td_held_tell(&a->held, TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, path, 0, strerrordesc_np(error),
                            a->err);
    int rc = td_held_names(&a->held, path, &file.entry, &names, &count, a->err);
    if (rc == 0)
        rc = enter(a, names, &file);
    if (rc == 0)
        td_held_done(&a->held, names);
    td_names_free(names);
    return rc;
}

static int accept_all(struct accepting *a) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->held.count; i++) {
        if (!a->held.files[i].wanted || a->held.files[i].done)
            continue;
        rc = td_stop_asked(a->held.app->stop) ? -ECANCELED : accept_one(a, a->held.files[i].path);
    }
    return rc;
}

int td_command_accept(const struct td_app *app, const char *collection, const char *const *paths, size_t count,
                      struct td_buf *out, struct td_error *err) {
    struct accepting a = {.err = err, .buffer = td_buffer_new(TD_READ_SIZE)};
    int lock = -1;
    int rc = td_held_open(&a.held, app, "accept", collection, err);
    if (rc == 0 && a.buffer == NULL)
        rc = td_fail(err, ENOMEM, "reading the source");
    if (rc == 0) {
        lock = td_docking_lock_pair(app->config, &a.held.pair, err);
        rc = lock < 0 ? lock : 0;
    }
    if (rc == 0)
        rc = td_held_open_source(&a.held, NULL, err);
    if (rc == 0)
        rc = td_held_select(&a.held, paths, count, err);
    if (rc == 0)
        rc = td_held_begin(&a.held, "", err);
    if (rc == 0)
        rc = td_held_end(&a.held, accept_all(&a), NULL, out, err);
    td_cleanup_fd(&lock);
    td_held_close(&a.held);
    free(a.buffer);
    return rc;
}
