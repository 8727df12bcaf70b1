#include "twindock/report/info.h"

#include "twindock/base/clock.h"
#include "twindock/report/fields.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 79

/* --- flags and reasons ------------------------------------------------------------------------------- */

static void say_running(const struct td_info_state *state, struct td_buf *out) {
    td_buf_puts(out, "running");
    if (state->phase == NULL || *state->phase == '\0')
        return;
    td_buf_puts(out, ": ");
    td_text_prose(out, state->phase);
    if (state->all > 0) {
        uint64_t done = state->done < state->all ? state->done : state->all;
        td_buf_printf(out, ", %d %% done", (int)((double)done * 100.0 / (double)state->all));
    }
    if (state->left > 0) {
        char span[32];
        td_format_span(span, state->left);
        td_buf_printf(out, ", about %s left", span);
    }
}

static void say_exit(int code, struct td_buf *out) {
    if (code > TD_EXIT_SIGNAL) {
        td_buf_puts(out, "the run was stopped (");
        td_text_signal(out, code - TD_EXIT_SIGNAL);
        td_buf_putc(out, ')');
        return;
    }
    const char *meaning = "the last run failed";
    for (const struct td_exit_row *row = td_exit_table; row->meaning != NULL; row++)
        if (row->code == code && code != 0)
            meaning = row->meaning;
    td_buf_puts(out, meaning);
}

static void say_failed(const struct td_info_state *state, struct td_buf *out) {
    char date[TD_DATE_MAX] = "the last run";
    if (state->last_end != 0)
        td_format_date_short(date, state->last_end);
    if (state->interrupted) {
        td_buf_printf(out, "the last run was cut off%s%s; run it again", state->last_end != 0 ? " " : "",
                      state->last_end != 0 ? date : "");
        return;
    }
    if (state->verdict != TD_OK) {
        td_buf_printf(out, "refused %s: ", date);
        td_text_refusal(out, state->verdict, state->last_reason);
        return;
    }
    td_buf_printf(out, "%s: ", date);
    if (state->last_reason != NULL && *state->last_reason != '\0')
        td_text_prose(out, state->last_reason);
    else
        say_exit(state->last_exit, out);
}

static void say_age(const struct td_info_state *state, const char *last, struct td_buf *out) {
    td_buf_printf(out, "%s backed up ", last);
    if (state->overdue_days < 1) {
        td_buf_puts(out, "less than a day ago");
        return;
    }
    td_text_count(out, (uint64_t)state->overdue_days, "day", "days");
    td_buf_puts(out, " ago");
}

/* A pair of which one disk is not what it was. */
static void say_changed(const char *collection, const struct td_info_state *state, struct td_buf *out) {
    if (state->gone != 0)
        td_buf_printf(
            out, "member %c is retired; dock a new disk beside member %c and say `twindock enroll %s --replace %c`",
            state->gone, state->gone == 'A' ? 'B' : 'A', collection, state->gone);
    else
        td_buf_printf(out, "member %c is new and has no backup yet; dock the pair, a run will fill it", state->fresh);
}

/* Copies without a proof: they are not there yet, or nobody has looked. To let a run end helps only when both disks
 * are read in it. */
static void say_unproven(const struct td_info_state *state, bool first, struct td_buf *out) {
    if (state->behind == 0)
        td_buf_puts(out, first ? "some copies have not been proven lately; dock it and let the run end"
                               : "Some copies have not been proven lately");
    else if (state->mirrored)
        td_buf_printf(out,
                      "%sember %c was not seen when the other was written; compare them with `twindock check --full`",
                      first ? "m" : "M", state->behind);
    else
        td_buf_printf(out, "%sember %c has missed the last backup; dock both disks", first ? "m" : "M", state->behind);
}

/* What makes a pair overdue or unproven, as the main reason. */
static void say_late(const char *collection, const struct td_info_state *state, struct td_buf *out) {
    if (state->gone != 0 || state->fresh != 0) {
        say_changed(collection, state, out);
        if (state->overdue && !state->never) {
            td_text_next(out);
            say_age(state, "Last", out);
        }
        return;
    }
    if (state->never) {
        td_buf_puts(out, "never backed up; dock it tonight");
        return;
    }
    if (state->overdue) {
        say_age(state, "last", out);
        td_buf_puts(out, "; dock it tonight");
    }
    if (state->unproven) {
        td_text_next(out);
        say_unproven(state, !state->overdue, out);
    }
}

void td_info_flag(struct td_info_row *row, const struct td_info_state *state) {
    TD_AUTOBUF struct td_buf reason = {0};
    row->flag = ' ';
    row->reason = NULL;
    if (state->running) {
        row->flag = '*';
        say_running(state, &reason);
    } else if (state->interrupted || state->last_failed) {
        row->flag = '!';
        say_failed(state, &reason);
        if (state->overdue && !state->never) {
            td_text_next(&reason);
            say_age(state, "Last", &reason);
        }
    } else if (state->never || state->overdue || state->unproven || state->gone != 0 || state->fresh != 0) {
        row->flag = '?';
        say_late(row->collection, state, &reason);
    }
    if (reason.len > 0)
        row->reason = td_buf_take(&reason);
}

/* --- the table --------------------------------------------------------------------------------------- */

static int oldest_first(const void *left, const void *right) {
    const struct td_info_row *a = left, *b = right;
    if (a->last_backup != b->last_backup)
        return a->last_backup < b->last_backup ? -1 : 1;
    return strcmp(a->collection, b->collection);
}

static void sort_rows(struct td_info_row *rows, size_t count) {
    if (count > 1)
        qsort(rows, count, sizeof *rows, oldest_first);
}

static bool flagged(const struct td_info_row *row) {
    return row->flag != ' ' && row->flag != '\0';
}

/* As wide as date(1)'s usual output, so that the table keeps its shape when all it has to show is "never". */
#define DATE_COLUMN 28

struct widths {
    int name, date;
};

static void row_date(const struct td_info_row *row, char *out) {
    if (row->last_backup == 0)
        snprintf(out, TD_DATE_MAX, "never");
    else
        td_format_date(out, row->last_backup);
}

static struct widths measure(const struct td_info_row *rows, size_t count) {
    struct widths widths = {2, DATE_COLUMN}; /* one letter names stand as two letter ones do */
    for (size_t i = 0; i < count; i++) {
        char date[TD_DATE_MAX];
        row_date(&rows[i], date);
        int name = (int)strlen(rows[i].collection), len = (int)strlen(date);
        widths.name = name > widths.name ? name : widths.name;
        widths.date = len > widths.date ? len : widths.date;
    }
    return widths;
}

static void print_row(const struct td_info_row *row, struct widths widths, struct td_buf *out) {
    char date[TD_DATE_MAX], used[TD_SIZE_MAX] = "-", free[TD_SIZE_MAX] = "-";
    row_date(row, date);
    if (row->sized) {
        td_format_size(used, row->used);
        td_format_size(free, row->free);
    }
    td_buf_printf(out, "%-*s%c%-*s %4s %4s %s\n", widths.name, row->collection, flagged(row) ? row->flag : ' ',
                  widths.date, date, used, free, row->uuid);
}

void td_info_print(struct td_info_row *rows, size_t count, struct td_buf *out) {
    if (count == 0) {
        td_text_wrap(
            out,
            "No pair is enrolled yet. Put two disks into the dock. New ones become a pair with `twindock format "
            "COLLECTION`; two that hold a backup already are taken up with `twindock enroll COLLECTION`.",
            WIDTH, "");
        return;
    }
    sort_rows(rows, count);
    struct widths widths = measure(rows, count);
    td_buf_printf(out, "%*s %-*s %4s %4s %s\n", widths.name, "", widths.date, "Last Backup", "Used", "Free", "UUID");
    for (size_t i = 0; i < count; i++)
        print_row(&rows[i], widths, out);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const char *reason = flagged(&rows[i]) ? rows[i].reason : NULL;
        TD_AUTOBUF struct td_buf line = {0};
        td_text_prose(&line, reason);
        if (rows[i].safe != NULL) {
            td_text_next(&line);
            td_text_prose(&line, rows[i].safe);
        }
        if (line.len == 0)
            continue;
        td_buf_printf(out, "%s%-*s %s\n", any ? "" : "\n", widths.name, rows[i].collection, td_buf_text(&line));
        any = true;
    }
}

void td_info_print_mail(const struct td_info_mail *mail, struct td_buf *out) {
    char date[TD_DATE_MAX];
    if (mail->kept == 0)
        return;
    td_format_date_short(date, mail->since);
    td_buf_puts(out, "\nMail: ");
    td_text_count(out, mail->kept, "mail", "mails");
    td_buf_printf(out, " could not be sent since %s: ", date);
    td_text_prose(out, mail->error);
    td_text_next(out);
    td_buf_printf(out, "The next run tries again; `twindock mail-test` tells whether mail works.\n");
}

/* --- JSON -------------------------------------------------------------------------------------------- */

static struct td_json *member_json(const struct td_member *member) {
    struct td_json *object = td_json_object();
    td_field_text(object, "serial", member->identity.serial);
    td_field_time(object, "last_proven", member->last_proven);
    return object;
}

static void set_size(struct td_json *object, const char *key, bool known, uint64_t bytes) {
    if (known)
        td_field_count(object, key, bytes);
    else
        td_json_null(object, key);
}

static struct td_json *row_json(const struct td_info_row *row) {
    char flag[2] = {flagged(row) ? row->flag : '\0', '\0'};
    struct td_json *object = td_json_object();
    td_json_text(object, "collection", row->collection);
    td_json_text(object, "pair", row->uuid);
    td_field_time(object, "last_backup", row->last_backup);
    set_size(object, "used", row->sized, row->used);
    set_size(object, "free", row->sized, row->free);
    td_json_text(object, "flag", flag);
    td_json_text(object, "reason", row->reason);
    struct td_json *members = td_json_set(object, "members", td_json_object());
    td_json_set(members, "A", member_json(&row->members[0]));
    td_json_set(members, "B", member_json(&row->members[1]));
    td_json_bool(object, "overdue", row->overdue);
    td_field_text(object, "safe", row->safe);
    td_field_time(object, "last_drill", row->last_drill);
    return object;
}

struct td_json *td_info_json(struct td_info_row *rows, size_t count) {
    sort_rows(rows, count);
    struct td_json *root = td_json_object();
    struct td_json *collections = td_json_set(root, "collections", td_json_array());
    for (size_t i = 0; i < count; i++)
        td_json_append(collections, row_json(&rows[i]));
    return root;
}

void td_info_json_mail(const struct td_info_mail *mail, struct td_json *object) {
    struct td_json *json = td_json_set(object, "mail", td_json_object());
    td_field_count(json, "kept", mail->kept);
    td_field_time(json, "since", mail->since);
    td_field_text(json, "error", mail->kept > 0 ? mail->error : NULL);
}
