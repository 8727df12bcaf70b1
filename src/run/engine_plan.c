/* From rows to operations, and what the brake needs to know about them. */
#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/run/engine.h"
#include "twindock/sync/attributes.h"
#include "twindock/sync/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BELIEVED_FROM (1U << 20) /* bytes of a file */

struct planning {
    struct td_engine *engine;
    struct td_error *err;
    /* The last new path whose content was hashed to see whether it only moved. */
    char *hashed_path;
    struct td_hash_result hashed;
    void *buffer;
    char *hidden; /* the last mount point that hides something */
};

static bool is_file(const struct td_entry *entry) {
    return entry != NULL && S_ISREG(entry->mode);
}

static bool is_nowhere(const struct td_row *row) {
    return row->ledger != NULL && !row->shielded && row->side[TD_SOURCE] == NULL && row->side[TD_A] == NULL &&
           row->side[TD_B] == NULL;
}

/*
 * What the brake compares with: the ledger, and what it does not know (yet) but every docked member has. What only one
 * of two members has was left there by a run that it missed.
 */
static const struct td_entry *known_before(const struct planning *planning, const struct td_row *row) {
    const struct td_entry *found = NULL;
    if (row->ledger != NULL)
        return &row->ledger->entry;
    for (int side = TD_A; side <= TD_B; side++) {
        if (!planning->engine->side[side].alive)
            continue;
        if (row->side[side] == NULL)
            return NULL;
        found = row->side[side];
    }
    return found;
}

static void count_for_brake(struct planning *planning, const struct td_row *row) {
    struct td_brake *brake = &planning->engine->brake;
    const struct td_entry *before = known_before(planning, row), *now = row->side[TD_SOURCE];
    if (!is_file(before) || is_nowhere(row))
        return;
    brake->base_files++;
    brake->base_bytes += before->size;
    if (!is_file(now)) {
        if (now == NULL && row->shielded)
            return;
        brake->deleted_files++;
        brake->deleted_bytes += before->size;
    } else if (now->size != before->size || !td_time_kept(&now->mtime, &before->mtime)) {
        brake->changed_files++;
        brake->changed_bytes += before->size;
        if (now->size == 0 && before->size != 0)
            brake->emptied_files++;
    }
}

static int add_step(struct td_engine *engine, const struct td_row *row, const struct td_plan_step *step,
                    unsigned members, struct td_error *err) {
    const struct td_entry *source = row->side[TD_SOURCE];
    struct td_work_op op = {
        .action = step->action,
        .why = step->why,
        .members = members,
        .path = row->path,
        .from = step->action == TD_ACT_LINK ? row->leader : NULL,
        .keep = step->action == TD_ACT_DELETE,
        .origin = TD_SOURCE,
        .size = is_file(source) ? source->size : 0,
    };
    return td_work_add_op(engine->ledger, &op, err);
}

/* Gone from the source and from every member, but a run that was cut off left it in the ledger: carried out as a
 * deletion of nothing, so that the entry goes when the run has a right to write. */
static int forget(struct td_engine *engine, const struct td_row *row, struct td_error *err) {
    struct td_work_op op = {
        .action = TD_ACT_DELETE, .why = TD_WHY_GONE, .members = td_engine_members(engine), .path = row->path};
    return td_work_add_op(engine->ledger, &op, err);
}

/* The members are right, but a run was cut off before the ledger had it, or the ledger was begun anew: something other
 * than a file that the ledger has not got, or not as it is now. (The content that it has for a path which is no file
 * any more must not get into the manifest. What is known of files comes from reading them.) */
static bool not_in_ledger(const struct td_row *row) {
    const struct td_entry *source = row->side[TD_SOURCE];
    if (source == NULL || source->error != 0 || is_file(source))
        return false;
    return row->ledger == NULL || row->ledger->has_hash || row->ledger->held ||
           !td_entry_same_content(&row->ledger->entry, source) ||
           (!S_ISDIR(source->mode) && (!td_entry_same_attributes(&row->ledger->entry, source) ||
                                       row->ledger->entry.ino != source->ino || /* which names belong together */
                                       row->ledger->entry.nlink != source->nlink));
}

static int enter(struct td_engine *engine, const struct td_row *row, struct td_error *err) {
    struct td_work_op op = {
        .action = TD_ACT_ENTER, .why = TD_WHY_TYPE, .members = td_engine_members(engine), .path = row->path};
    return td_work_add_op(engine->ledger, &op, err);
}

/* The answer to "this is there but cannot be read": it is reported, and nothing is concluded from it. */
static int report_unreadable(struct td_engine *engine, const struct td_row *row, struct td_error *err) {
    const struct td_entry *source = row->side[TD_SOURCE];
    if (source == NULL || source->error == 0 || source->error == EXDEV || engine->planned)
        return 0;
    return td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, row->path, TD_SOURCE,
                              strerror(source->error), err);
}

/* What is mounted in the source is not entered. Where it lies over something that was backed up, that is not gone, but
 * out of sight: told once for each mount point. */
static int report_hidden(struct planning *planning, const struct td_row *row) {
    struct td_engine *engine = planning->engine;
    struct td_entry above;
    if (row->side[TD_SOURCE] != NULL || !row->shielded || engine->planned ||
        (planning->hidden != NULL && td_path_below(planning->hidden, row->path)))
        return 0;
    for (const char *slash = strchr(row->path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        TD_AUTOFREE char *path = strndup(row->path, (size_t)(slash - row->path));
        if (path == NULL)
            return td_fail(planning->err, ENOMEM, "planning");
        if (td_work_entry(engine->ledger, TD_SOURCE, path, &above, NULL) != 0 || above.error != EXDEV)
            continue;
        free(planning->hidden);
        planning->hidden = td_take_ptr(&path);
        return td_engine_incident(engine, TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, planning->hidden, TD_SOURCE,
                                  TD_DETAIL_MOUNTED_OVER, planning->err);
    }
    return 0;
}

static bool is_told(enum td_why why) {
    return why == TD_WHY_ALTERED || why == TD_WHY_MISSING;
}

/* A member that has not even the collection's directory, or had another one: that is told, not each file. */
static void excuse_missing(struct td_engine *engine, struct td_plan *plan) {
    for (int side = TD_A; side <= TD_B; side++) {
        bool whole = engine->side[side].root < 0 || engine->moved[side];
        if (plan->member[side].why != TD_WHY_MISSING || !whole)
            continue;
        plan->member[side].why = TD_WHY_NEW;
        engine->tree_gone[side] = !engine->moved[side];
    }
}

static int plan_one(void *ctx, const struct td_row *row) {
    struct planning *planning = ctx;
    struct td_engine *engine = planning->engine;
    struct td_plan plan;
    count_for_brake(planning, row);
    if (td_stop_asked(engine->stop))
        return -ECANCELED;
    int rc = report_unreadable(engine, row, planning->err);
    if (rc == 0)
        rc = report_hidden(planning, row);
    if (rc != 0)
        return rc;
    if (is_nowhere(row))
        return forget(engine, row, planning->err);
    td_plan_row(row, td_engine_members(engine), &plan);
    excuse_missing(engine, &plan);
    const struct td_plan_step *a = &plan.member[TD_A], *b = &plan.member[TD_B];
    if (a->action == TD_ACT_NONE && b->action == TD_ACT_NONE)
        return not_in_ledger(row) ? enter(engine, row, planning->err) : 0;
    if (a->action == b->action && a->why == b->why)
        return add_step(engine, row, a, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), planning->err);
    bool told = is_told(a->why) || is_told(b->why);                  /* of the member it is true of */
    if (a->action == b->action && a->action == TD_ACT_COPY && !told) /* one read serves both */
        return add_step(engine, row, a, TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B), planning->err);
    if (a->action != TD_ACT_NONE)
        rc = add_step(engine, row, a, TD_SIDE_BIT(TD_A), planning->err);
    if (rc == 0 && b->action != TD_ACT_NONE)
        rc = add_step(engine, row, b, TD_SIDE_BIT(TD_B), planning->err);
    return rc;
}

/* What looked like so many deletions is none. */
static void not_deleted(struct td_brake *brake, uint64_t files, uint64_t bytes) {
    brake->deleted_files -= files < brake->deleted_files ? files : brake->deleted_files;
    brake->deleted_bytes -= bytes < brake->deleted_bytes ? bytes : brake->deleted_bytes;
}

/* An inode number, a size and a time may be another file's by now. It is the one that was known when it came to be
 * before its ctime was noted. Where the filesystem does not tell, large files are believed: they have a time of their
 * own, and to read a whole tree because it was renamed is no answer. */
static bool is_still_it(struct td_engine *engine, const char *path, const char *old_path) {
    const char *name;
    struct td_file known;
    struct timespec birth;
    if (td_ledger_file(engine->ledger, engine->pair, old_path, &known, NULL) != 0)
        return false;
    TD_AUTOCLOSE int dir = td_open_parent(engine->side[TD_SOURCE].root, path, &name);
    int rc = dir < 0 ? dir : td_entry_birth(dir, name, &birth);
    if (rc != 0)
        return rc == -ENOTSUP && known.entry.size >= BELIEVED_FROM;
    return birth.tv_sec < known.entry.ctime.tv_sec ||
           (birth.tv_sec == known.entry.ctime.tv_sec && birth.tv_nsec <= known.entry.ctime.tv_nsec);
}

/* Has the content of `old_path` come up again at `path`? The same file has; any other, though it may have the same
 * inode and mtime, has to show the same SHA-256. */
static int confirm_move(void *ctx, const char *path, const char *old_path, const uint8_t hash[TD_HASH_LEN],
                        bool same_file) {
    struct planning *planning = ctx;
    struct td_engine *engine = planning->engine;
    if (td_stop_asked(engine->stop))
        return -ECANCELED;
    bool taken = same_file && is_still_it(engine, path, old_path);
    if (!taken) {
        if (planning->hashed_path == NULL || strcmp(planning->hashed_path, path) != 0) {
            free(planning->hashed_path);
            planning->hashed_path = strdup(path);
            td_hash_file(engine->side[TD_SOURCE].root, path, planning->buffer, &planning->hashed);
        }
        taken = planning->hashed.error == 0 && !planning->hashed.changing &&
                memcmp(planning->hashed.hash, hash, TD_HASH_LEN) == 0;
    }
    if (!taken)
        return 0;
    struct td_entry entry;
    if (td_work_entry(engine->ledger, TD_SOURCE, path, &entry, NULL) == 0)
        not_deleted(&engine->brake, 1, entry.size);
    return 1;
}

static int let_go_moved(struct td_engine *engine, struct td_error *err) {
    uint64_t files, bytes;
    int rc = td_work_let_go_moved(engine->ledger, engine->pair, td_engine_members(engine), &files, &bytes, err);
    if (rc == 0)
        not_deleted(&engine->brake, files, bytes);
    return rc;
}

int td_engine_plan(struct td_engine *engine, struct td_error *err) {
    int rc = td_work_clear_ops(engine->ledger, err);
    if (rc == 0)
        rc = td_work_totals(engine->ledger, TD_SOURCE, &engine->counts.files, &engine->counts.bytes, err);
    struct planning planning = {.engine = engine, .err = err};
    planning.buffer = td_buffer_new(TD_READ_SIZE);
    if (planning.buffer == NULL)
        return td_fail(err, ENOMEM, "planning");
    engine->phase = "planning";
    engine->brake = (struct td_brake){0};
    if (rc == 0)
        rc = td_work_rows(engine->ledger, engine->pair, plan_one, &planning, err);
    if (rc == 0)
        rc = td_engine_tick(engine, true, err);
    if (rc == 0)
        rc = td_work_find_astray(engine->ledger, engine->pair, td_engine_members(engine), err);
    if (rc == 0)
        rc = td_work_move_held(engine->ledger, engine->pair, &engine->moves_first, err);
    if (rc == 0)
        rc = td_work_find_moves(engine->ledger, engine->pair, confirm_move, &planning, err);
    if (rc == 0)
        rc = let_go_moved(engine, err);
    if (rc == 0 && engine->brake.deleted_files > 0)
        rc = td_engine_count_scrambled(engine, err);
    engine->planned = true;
    free(planning.hashed_path);
    free(planning.hidden);
    free(planning.buffer);
    return rc;
}

/* --- showing the plan -------------------------------------------------------------------------------------- */

static const char *members_words(unsigned members) {
    return members == (TD_SIDE_BIT(TD_A) | TD_SIDE_BIT(TD_B)) ? "AB" : members == TD_SIDE_BIT(TD_A) ? "A" : "B";
}

static void show_path(const struct td_engine *engine, const char *path, struct td_buf *out) {
    td_escape_text(out, engine->collection->name);
    if (path[0] != '\0')
        td_buf_putc(out, '/');
    td_escape_text(out, path);
}

static void show_op(const struct td_engine *engine, const struct td_work_op *op, struct td_buf *out) {
    td_buf_printf(out, "%-2s  %-10s %-10s ", members_words(op->members), td_action_names[op->action],
                  td_why_names[op->why]);
    show_path(engine, op->path, out);
    if (op->action == TD_ACT_MOVE && op->from != NULL) {
        td_buf_puts(out, "  (was ");
        show_path(engine, op->from, out);
        td_buf_puts(out, ")");
    }
    td_buf_putc(out, '\n');
}

static void list_op(const struct td_work_op *op, struct td_json *list) {
    struct td_json *item = td_json_append(list, td_json_object());
    td_json_text(item, "action", td_action_names[op->action]);
    td_json_text(item, "why", td_why_names[op->why]);
    td_json_text(item, "members", members_words(op->members));
    td_json_path(item, "path", op->path);
    if (op->action == TD_ACT_MOVE && op->from != NULL)
        td_json_path(item, "from", op->from);
}

/* Every operation that a person would call one; a moved file's old name is part of its move. */
static int each_op(struct td_engine *engine, struct td_buf *out, struct td_json *list, uint64_t counts[TD_ACTIONS],
                   struct td_error *err) {
    for (int action = TD_ACT_MKDIR; action <= TD_ACT_DELETE; action++) {
        struct td_cursor *cursor = NULL;
        struct td_work_op op;
        int rc = td_work_ops(engine->ledger, (enum td_action)action, &cursor, err);
        while (rc == 0 && (rc = td_work_next_op(cursor, &op, err)) > 0) {
            rc = 0;
            if (op.action == TD_ACT_DELETE && !op.keep)
                continue;
            counts[action]++;
            if (list != NULL)
                list_op(&op, list);
            else
                show_op(engine, &op, out);
        }
        td_cursor_close(cursor);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int td_engine_show_plan(struct td_engine *engine, struct td_buf *out, struct td_error *err) {
    uint64_t counts[TD_ACTIONS] = {0}, copies = 0, bytes = 0;
    char size[TD_SIZE_MAX];
    int rc = each_op(engine, out, NULL, counts, err);
    if (rc == 0)
        rc = td_work_op_totals(engine->ledger, TD_ACT_COPY, &copies, &bytes, err);
    if (out->len == 0) {
        td_buf_printf(out, "%s: nothing to copy, move or delete.\n", engine->collection->name);
        return rc;
    }
    td_format_size(size, bytes);
    td_buf_printf(out, "%s: %ju to copy (%s), %ju to move, %ju to delete. Nothing was written.\n",
                  engine->collection->name, (uintmax_t)(counts[TD_ACT_COPY] + counts[TD_ACT_SPECIAL]), size,
                  (uintmax_t)counts[TD_ACT_MOVE], (uintmax_t)counts[TD_ACT_DELETE]);
    return rc;
}

int td_engine_list_plan(struct td_engine *engine, struct td_json *object, struct td_error *err) {
    uint64_t counts[TD_ACTIONS] = {0}, copies = 0, bytes = 0;
    struct td_json *list = td_json_set(object, "plan", td_json_array());
    int rc = each_op(engine, NULL, list, counts, err);
    if (rc == 0)
        rc = td_work_op_totals(engine->ledger, TD_ACT_COPY, &copies, &bytes, err);
    td_json_int(object, "copy_bytes", (int64_t)bytes);
    return rc;
}
