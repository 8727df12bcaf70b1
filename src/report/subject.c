/* What a mail's subject says of a run: collection and verdict in words. */
#include "twindock/report/subject.h"

#include "findings.h"

#include "twindock/report/text.h"

#include <stdbool.h>
#include <string.h>

static bool has_state(const struct td_run *run, enum td_side side, const char *state) {
    return strcmp(run->state[side], state) == 0;
}

static bool gone(const struct td_run *run, enum td_side side) {
    return has_state(run, side, "lost") || has_state(run, side, "full");
}

static void say_member(const struct td_run *run, struct td_buf *out) {
    bool a = gone(run, TD_A), b = gone(run, TD_B);
    if (a && b && has_state(run, TD_A, "full") && has_state(run, TD_B, "full")) {
        td_buf_puts(out, "both members are full");
    } else if (a && b) {
        td_buf_puts(out, "both members were lost");
    } else if (a || b) {
        enum td_side side = a ? TD_A : TD_B;
        td_buf_printf(out, "member %c %s", a ? 'A' : 'B', has_state(run, side, "full") ? "is full" : "was lost");
    } else {
        td_buf_puts(out, "a member was lost");
    }
}

static void say_rot(const struct td_report *report, struct td_buf *out) {
    const struct td_counts *counts = &report->run->counts;
    if (strcmp(report->run->command, "check") == 0)
        td_buf_puts(out, "its two halves differ");
    else if (counts->held > 0)
        td_buf_puts(out, counts->repaired == 0 ? "rot found in the source" : "rot found, in the source too");
    else if (td_findings_name_unrepaired(report, out))
        return;
    else if (counts->repaired > 0 && counts->unreadable == 0)
        td_findings_name_repaired(report, out);
    else
        td_buf_puts(out, "rot found");
}

static void say_unreadable(const struct td_report *report, struct td_buf *out) {
    if (!td_findings_name_unrepaired(report, out))
        td_findings_name_unreadable(report, out);
}

static void say_done(const struct td_run *run, struct td_buf *out) {
    if (run->result == TD_RESULT_DONE_UNPROVEN)
        td_buf_puts(out, "backed up, proof not finished");
    else if (strcmp(run->command, "check") == 0)
        td_buf_puts(out, "its two halves are the same");
    else if (strcmp(run->command, "verify") == 0)
        td_buf_puts(out, run->counts.left == 0 ? "read in full and proven" : "read in full, not all of it proven");
    else if (has_state(run, TD_A, "unseen") || has_state(run, TD_B, "unseen"))
        td_buf_puts(out, "backed up and proven on the disk that the dock shows");
    else if (has_state(run, TD_A, "absent") || has_state(run, TD_B, "absent"))
        td_buf_puts(out, "backed up and proven, on one disk alone");
    else
        td_buf_puts(out, "backed up and proven");
}

static void say_ended(const struct td_run *run, struct td_buf *out) {
    if (run->exit > TD_EXIT_SIGNAL) {
        td_buf_puts(out, "the run was stopped (");
        td_text_signal(out, run->exit - TD_EXIT_SIGNAL);
        td_buf_putc(out, ')');
    } else if (run->result == TD_RESULT_INTERRUPTED) {
        td_buf_puts(out, "the run was cut off");
    } else if (run->exit == TD_EXIT_BUSY) {
        td_buf_puts(out, "another run holds the dock");
    } else if (has_state(run, TD_A, TD_STATE_NEW) || has_state(run, TD_B, TD_STATE_NEW)) {
        td_buf_printf(out, "member %c has no backup yet", has_state(run, TD_A, TD_STATE_NEW) ? 'A' : 'B');
    } else {
        td_buf_printf(out, "failed, exit code %d", run->exit);
    }
}

static void say_result(const struct td_report *report, struct td_buf *out) {
    const struct td_run *run = report->run;
    if (run->exit == TD_EXIT_MEMBER_LOST) {
        say_member(run, out);
    } else if (run->exit == TD_EXIT_ROT) {
        say_rot(report, out);
    } else if (run->exit == TD_EXIT_UNREADABLE && run->counts.unreadable > 0) {
        say_unreadable(report, out);
    } else if (run->exit == TD_EXIT_OK && run->result != TD_RESULT_INTERRUPTED) {
        say_done(run, out);
    } else {
        say_ended(run, out);
    }
}

void td_subject_of_run(const struct td_report *report, struct td_buf *out) {
    const struct td_run *run = report->run;
    if (run->collection[0] != '\0') {
        td_text_prose(out, run->collection);
    } else if (run->dock[0] != '\0') {
        td_buf_puts(out, "dock ");
        td_text_prose(out, run->dock);
    } else {
        td_buf_puts(out, run->command);
    }
    if (run->result != TD_RESULT_REFUSED) {
        td_buf_puts(out, ": ");
        say_result(report, out);
        return;
    }
    td_buf_puts(out, " refused");
    if (run->verdict != TD_OK)
        td_buf_printf(out, ": %s", td_verdict_table[run->verdict].meaning);
}
