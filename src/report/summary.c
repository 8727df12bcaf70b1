/*
 * What a run says at its end. The last line is the one that matters: is everything safe, and if not, what is
 * wrong. Everything above it is short.
 */
#include "findings.h"

#include "twindock/base/clock.h"
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH 79 /* of the text for a terminal */

static bool is_command(const struct td_run *run, const char *name) {
    return strcmp(run->command, name) == 0;
}

static bool has_state(const struct td_run *run, enum td_side side, const char *state) {
    return strcmp(run->state[side], state) == 0;
}

/* --- endings ----------------------------------------------------------------------------------------- */

/* `left` counts proofs alone; what was not yet copied is found by the next run. */
static void say_stopped(const struct td_run *run, struct td_buf *out) {
    td_buf_puts(out, is_command(run, "verify") ? "`twindock verify` was stopped (" : "The run was stopped (");
    td_text_signal(out, run->exit - TD_EXIT_SIGNAL);
    td_buf_puts(out, is_command(run, "verify") ? "); not everything was read." : "); what was done is kept.");
    if (run->counts.left > 0 && !is_command(run, "verify")) {
        td_buf_putc(out, ' ');
        td_text_count(out, run->counts.left, "copy is", "copies are");
        td_buf_puts(out, " left to prove.");
    }
    td_buf_puts(out, " Run it again.");
}

static void say_exit(const struct td_run *run, struct td_buf *out) {
    if (run->exit > TD_EXIT_SIGNAL) {
        say_stopped(run, out);
        return;
    }
    if (run->result == TD_RESULT_INTERRUPTED) {
        td_buf_puts(out, "The run was cut off; what was done is kept. Run it again.");
        return;
    }
    for (const struct td_exit_row *row = td_exit_table; row->meaning != NULL; row++)
        if (row->code == run->exit)
            td_buf_printf(out, "The run ended with exit code %d: %s.", run->exit, row->meaning);
}

static bool takes_part(const struct td_run *run, enum td_side side) {
    return has_state(run, side, "ok") || has_state(run, side, "unproven");
}

/* "both disks", "member A alone"; for a sync, which has no members, the copies. */
static const char *places(const struct td_run *run) {
    bool a = takes_part(run, TD_A), b = takes_part(run, TD_B);
    if (is_command(run, "sync"))
        return a && b ? "Both copies are" : "The copy is";
    if (a == b)
        return "both disks";
    return a ? "member A alone" : "member B alone";
}

/* A dock that mirrors has written the other half, and shows it to nobody. */
static void say_unseen(const struct td_run *run, struct td_buf *out) {
    for (int side = TD_A; side <= TD_B; side++) {
        if (!has_state(run, (enum td_side)side, "unseen"))
            continue;
        td_text_next(out);
        td_buf_printf(out, "Member %c was not seen: ", side == TD_A ? 'A' : 'B');
        td_buf_puts(out, is_command(run, "run") ? "that the dock wrote the same to it is not proven."
                                                : "nothing is said of it here.");
    }
}

/* A new disk beside the one that was read. */
static void say_new(const struct td_run *run, struct td_buf *out) {
    for (int side = TD_A; side <= TD_B; side++) {
        if (!has_state(run, (enum td_side)side, TD_STATE_NEW))
            continue;
        td_text_next(out);
        td_buf_printf(out, "Member %c is new and has no backup yet; `twindock run` fills it.",
                      side == TD_A ? 'A' : 'B');
    }
}

static void say_left(const struct td_run *run, struct td_buf *out) {
    td_text_count(out, run->counts.left, "copy is", "copies are");
    td_buf_puts(out, " left to prove, and the next run begins with ");
    td_buf_puts(out, run->counts.left == 1 ? "it." : "them.");
}

/* A copy that was never proven, on a member that was away or given up: nothing is wrong, but it is no proof. */
static void say_verified_in_part(const struct td_run *run, struct td_buf *out) {
    bool a = has_state(run, TD_A, "ok"), b = has_state(run, TD_B, "ok");
    td_buf_printf(out, "%s was read in full", run->collection);
    if (a != b)
        td_buf_printf(out, "; member %c is proven", a ? 'A' : 'B');
    td_buf_puts(out, ". ");
    td_text_count(out, run->counts.left, "copy", "copies");
    if (a != b)
        td_buf_printf(out, " on member %c", a ? 'B' : 'A');
    td_buf_printf(out, " %s not proven; `twindock run` puts that right.", run->counts.left == 1 ? "is" : "are");
}

static void say_success(const struct td_run *run, struct td_buf *out) {
    bool unproven = run->result == TD_RESULT_DONE_UNPROVEN;
    if (is_command(run, "sync"))
        td_buf_printf(out, "%s up to date%s", places(run), unproven ? "; " : " and proven.");
    else if (is_command(run, "verify") && !unproven && run->counts.left > 0)
        say_verified_in_part(run, out);
    else if (is_command(run, "verify"))
        td_buf_printf(out, "%s on %s %s", run->collection, places(run),
                      unproven ? "was read in part; " : "was read in full and is proven.");
    else if (is_command(run, "run"))
        td_buf_printf(out, "%s is %s on %s%s", run->collection, unproven ? "up to date" : "backed up", places(run),
                      unproven ? "; " : " and proven.");
    else
        td_buf_printf(out, "%s: %s is done.", run->collection, run->command);
    if (unproven)
        say_left(run, out);
}

static void say_refusal(const struct td_run *run, struct td_buf *out) {
    if (run->collection[0] != '\0')
        td_buf_printf(out, "%s refused: ", run->collection);
    else if (run->dock[0] != '\0')
        td_buf_printf(out, "Dock %s refused: ", run->dock);
    else
        td_buf_puts(out, "Refused: ");
    if (run->verdict == TD_OK)
        td_text_prose(out, run->reason != NULL ? run->reason : "nothing was written.");
    else
        td_text_refusal(out, run->verdict, run->reason);
}

void td_report_sentence(const struct td_report *report, struct td_buf *out) {
    const struct td_run *run = report->run;
    TD_AUTOBUF struct td_buf said = {0};
    bool done = run->exit == TD_EXIT_OK || (run->exit == TD_EXIT_REFUSED && run->result == TD_RESULT_DONE);
    bool known = run->result == TD_RESULT_REFUSED || (run->reason != NULL && *run->reason != '\0');
    if (run->result == TD_RESULT_REFUSED)
        say_refusal(run, &said);
    else if (known)
        td_text_prose(&said, run->reason);
    else
        td_findings_say(report, &said);
    if (said.len == 0 && done) {
        say_success(run, &said);
        td_findings_say_altered(report, &said);
        say_unseen(run, &said);
        if (is_command(run, "verify"))
            td_buf_puts(&said, " The source was not looked at.");
    } else if (said.len == 0) {
        say_exit(run, &said);
    }
    if (!known)
        say_new(run, &said);
    td_buf_add(out, td_buf_text(&said), said.len);
}

/* --- the whole --------------------------------------------------------------------------------------- */

/* ", 3 copied (1.2M)" and the like; nothing for 0. */
static void say_count(uint64_t n, const char *what, uint64_t bytes, struct td_buf *out) {
    if (n == 0)
        return;
    td_buf_printf(out, ", %" PRIu64 " %s", n, what);
    if (bytes > 0) {
        td_buf_puts(out, " (");
        td_text_size(out, bytes);
        td_buf_putc(out, ')');
    }
}

/* "M: 1234 files (2.1G), 3 copied (1.2M), 1 renamed, 2468 copies proven (4.2G) in 2 min." */
static void say_counts(const struct td_run *run, struct td_buf *out) {
    const struct td_counts *counts = &run->counts;
    char span[32];
    if (run->collection[0] != '\0')
        td_buf_printf(out, "%s: ", run->collection);
    td_text_count(out, counts->files, "file", "files");
    td_buf_puts(out, " (");
    td_text_size(out, counts->bytes);
    td_buf_putc(out, ')');
    say_count(counts->copied, "copied", counts->copied_bytes, out);
    say_count(counts->renamed, "renamed", 0, out);
    say_count(counts->deleted, "deleted", 0, out);
    say_count(counts->updated, "with new attributes", 0, out);
    say_count(counts->proven, counts->proven == 1 ? "copy proven" : "copies proven", counts->proven_bytes, out);
    say_count(counts->given_up, counts->given_up == 1 ? "old version given up" : "old versions given up",
              counts->given_up_bytes, out);
    if (run->ended > run->started) {
        td_format_span(span, run->ended - run->started);
        td_buf_printf(out, ", in %s", span);
    }
    td_buf_putc(out, '.');
}

/* One line of prose for a terminal. Further lines are set in, so that none of them can pass for one of ours. Neither
 * commands nor the names of the files are broken. */
static void print_prose(const struct td_report *report, const char *text, struct td_buf *out) {
    TD_AUTOBUF struct td_buf line = {0};
    td_buf_puts(&line, text);
    for (size_t i = 0; i < report->incident_count && line.len > WIDTH; i++) {
        TD_AUTOBUF struct td_buf path = {0};
        td_text_path(&path, report->run->collection, report->incidents[i].path);
        td_text_glue(&line, td_buf_text(&path));
    }
    td_text_wrap(out, td_buf_text(&line), WIDTH, "  ");
}

void td_report_print(const struct td_report *report, size_t cap, struct td_buf *out) {
    const struct td_run *run = report->run;
    TD_AUTOBUF struct td_buf counts = {0}, sentence = {0}, safe = {0};
    if (run->result != TD_RESULT_REFUSED && run->counts.files > 0)
        say_counts(run, &counts);
    print_prose(report, td_buf_text(&counts), out);
    if (run->after_interrupted && run->result != TD_RESULT_REFUSED)
        td_buf_puts(out, "The run before this one was cut off; this one went on from there.\n");
    td_report_list(report, cap, out);
    td_report_sentence(report, &sentence);
    print_prose(report, td_buf_text(&sentence), out);
    td_text_prose(&safe, report->safe);
    print_prose(report, td_buf_text(&safe), out);
}
