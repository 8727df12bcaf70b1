/*
 * What a run says at its end. The last line is the one that matters: is everything safe, and if not, what is
 * wrong. Everything above it is short.
 */
#include "twindock/base/clock.h"
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <string.h>

static bool is_command(const struct td_run *run, const char *name) {
    return strcmp(run->command, name) == 0;
}

static bool has_state(const struct td_run *run, enum td_side side, const char *state) {
    return strcmp(run->state[side], state) == 0;
}

/* --- findings ---------------------------------------------------------------------------------------- */

#define CAUSE_BIT(cause) (1U << (cause))
#define ROT (CAUSE_BIT(TD_CAUSE_BACKUP_ROT) | CAUSE_BIT(TD_CAUSE_READ_ERROR))
#define NO_COPY CAUSE_BIT(TD_CAUSE_LOST)
#define ALTERED CAUSE_BIT(TD_CAUSE_ALTERED)

struct tally {
    uint64_t count;
    const char *path; /* of the first one that is listed */
    char member;      /* when all listed ones are on one member; 0: on both, or on none */
};

/* Incidents of one kind and certain causes. `counted`: how many of that kind there are in all; those that
 * are not in the list are taken to be like the ones that are. */
static struct tally tally(const struct td_report *report, enum td_incident_kind kind, unsigned causes,
                          uint64_t counted) {
    struct tally found = {0, NULL, 0};
    uint64_t listed = 0;
    for (size_t i = 0; i < report->incident_count; i++) {
        const struct td_incident *incident = &report->incidents[i];
        if (incident->kind != kind)
            continue;
        listed++;
        if (!(causes & CAUSE_BIT(incident->cause)))
            continue;
        if (found.count++ == 0) {
            found.path = incident->path;
            found.member = incident->member;
        } else if (found.member != incident->member) {
            found.member = 0;
        }
    }
    if (counted > listed && (found.count > 0 || listed == 0))
        found.count += counted - listed;
    return found;
}

/* ": M/photos/x.jpg" when it is about one file alone. */
static void name_the_one(const struct td_report *report, const struct tally *found, struct td_buf *out) {
    if (found->count != 1 || found->path == NULL)
        return;
    td_buf_puts(out, ": ");
    td_text_path(out, report->run->collection, found->path);
}

static void say_held(const struct td_report *report, struct td_buf *out) {
    struct tally found = tally(report, TD_INCIDENT_HELD, ~NO_COPY, report->run->counts.held);
    if (found.count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found.count, "file in the source has", "files in the source have");
    td_buf_puts(out, found.count == 1 ? " rotted and was not copied; the disks keep the good copy"
                                      : " rotted and were not copied; the disks keep the good copies");
    name_the_one(report, &found, out);
}

static void say_repaired(const struct td_report *report, struct td_buf *out) {
    const struct td_counts *counts = &report->run->counts;
    struct tally found = tally(report, TD_INCIDENT_REPAIRED, ~ALTERED, counts->repaired);
    if (found.count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found.count, found.member != 0 ? "file on member " : "file had rotted on the disks and was",
                  found.member != 0 ? "files on member " : "files had rotted on the disks and were");
    if (found.member != 0)
        td_buf_printf(out, "%c had rotted and %s", found.member, found.count == 1 ? "was" : "were");
    td_buf_puts(out, " repaired");
    /* With a source that could not be believed everywhere, the repair may have come from the other member. */
    if (!is_command(report->run, "verify") && counts->held == 0 && counts->unreadable == 0)
        td_buf_puts(out, " from the source");
    name_the_one(report, &found, out);
}

static void say_altered(const struct td_report *report, struct td_buf *out) {
    struct tally found = tally(report, TD_INCIDENT_REPAIRED, ALTERED, 0);
    if (found.count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found.count, "copy", "copies");
    td_buf_puts(out, found.count == 1 ? " on the disks had been altered and was made right"
                                      : " on the disks had been altered and were made right");
    name_the_one(report, &found, out);
}

static void say_no_copy(const struct td_report *report, struct td_buf *out) {
    struct tally found = tally(report, TD_INCIDENT_UNREADABLE, NO_COPY, 0);
    struct tally held = tally(report, TD_INCIDENT_HELD, NO_COPY, 0);
    if (found.count == 0)
        found.path = held.path;
    found.count += held.count;
    if (found.count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found.count, "file has no good copy left", "files have no good copy left");
    name_the_one(report, &found, out);
}

static void say_unreadable(const struct td_report *report, struct td_buf *out) {
    struct tally found = tally(report, TD_INCIDENT_UNREADABLE, ~NO_COPY, report->run->counts.unreadable);
    if (found.count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found.count, "file could not be read or copied", "files could not be read or copied");
    name_the_one(report, &found, out);
}

static void say_member(const struct td_run *run, enum td_side side, struct td_buf *out) {
    enum td_side other = side == TD_A ? TD_B : TD_A;
    bool full = has_state(run, side, "full");
    if (!full && !has_state(run, side, "lost"))
        return;
    td_text_next(out);
    td_buf_printf(out, "Member %c %s", side == TD_A ? 'A' : 'B', full ? "is full" : "was lost");
    if (has_state(run, other, "ok"))
        td_buf_printf(out, "; member %c is complete", other == TD_A ? 'A' : 'B');
}

static void say_findings(const struct td_report *report, struct td_buf *out) {
    say_member(report->run, TD_A, out);
    say_member(report->run, TD_B, out);
    say_no_copy(report, out);
    say_held(report, out);
    say_repaired(report, out);
    say_unreadable(report, out);
}

/* --- endings ----------------------------------------------------------------------------------------- */

static void say_exit(const struct td_run *run, struct td_buf *out) {
    if (run->exit > TD_EXIT_SIGNAL) {
        td_buf_printf(out, "The run was ended by signal %d; what was done is kept. Run it again.",
                      run->exit - TD_EXIT_SIGNAL);
        return;
    }
    if (run->result == TD_RESULT_INTERRUPTED) {
        td_buf_puts(out, "The run was cut off; what was done is kept. Run it again.");
        return;
    }
    for (const struct td_exit_row *row = td_exit_table; row->meaning != NULL; row++)
        if (row->code == run->exit)
            td_buf_printf(out, "The run ended with exit code %d: %s", run->exit, row->meaning);
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

static void say_left(const struct td_run *run, struct td_buf *out) {
    td_text_count(out, run->counts.left, "copy is", "copies are");
    td_buf_puts(out, " left to prove, and the next run begins with ");
    td_buf_puts(out, run->counts.left == 1 ? "it." : "them.");
}

static void say_success(const struct td_run *run, struct td_buf *out) {
    bool unproven = run->result == TD_RESULT_DONE_UNPROVEN;
    if (is_command(run, "sync"))
        td_buf_printf(out, "%s up to date%s", places(run), unproven ? "; " : " and proven.");
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
    if (run->result == TD_RESULT_REFUSED)
        say_refusal(run, &said);
    else if (run->reason != NULL && *run->reason != '\0')
        td_text_prose(&said, run->reason);
    else
        say_findings(report, &said);
    if (said.len == 0 && run->exit == TD_EXIT_OK) {
        say_success(run, &said);
        say_altered(report, &said);
    } else if (said.len == 0) {
        say_exit(run, &said);
    }
    td_buf_add(out, td_buf_text(&said), said.len);
}

/* --- the whole --------------------------------------------------------------------------------------- */

/* ", 3 copied (1.2M)" and the like; nothing for 0. */
static void print_count(uint64_t n, const char *what, uint64_t bytes, struct td_buf *out) {
    char size[TD_SIZE_MAX];
    if (n == 0)
        return;
    td_buf_printf(out, ", %" PRIu64 " %s", n, what);
    if (bytes > 0) {
        td_format_size(size, bytes);
        td_buf_printf(out, " (%s)", size);
    }
}

/* "M: 1234 files (2.1G), 3 copied (1.2M), 1 renamed, 2468 copies proven (4.2G) in 2 min." */
static void print_counts(const struct td_run *run, struct td_buf *out) {
    const struct td_counts *counts = &run->counts;
    char size[TD_SIZE_MAX], span[32];
    if (run->collection[0] != '\0')
        td_buf_printf(out, "%s: ", run->collection);
    td_format_size(size, counts->bytes);
    td_text_count(out, counts->files, "file", "files");
    td_buf_printf(out, " (%s)", size);
    print_count(counts->copied, "copied", counts->copied_bytes, out);
    print_count(counts->renamed, "renamed", 0, out);
    print_count(counts->deleted, "deleted", 0, out);
    print_count(counts->updated, "with new attributes", 0, out);
    print_count(counts->proven, counts->proven == 1 ? "copy proven" : "copies proven", counts->proven_bytes, out);
    if (run->ended > run->started) {
        td_format_span(span, run->ended - run->started);
        td_buf_printf(out, ", in %s", span);
    }
    td_buf_puts(out, ".\n");
}

void td_report_print(const struct td_report *report, size_t cap, struct td_buf *out) {
    const struct td_run *run = report->run;
    TD_AUTOBUF struct td_buf last = {0};
    if (run->result != TD_RESULT_REFUSED && run->counts.files > 0)
        print_counts(run, out);
    if (run->after_interrupted && run->result != TD_RESULT_REFUSED)
        td_buf_puts(out, "The run before this one was cut off; this one went on from there.\n");
    td_report_list(report, cap, out);
    td_report_sentence(report, &last);
    if (report->safe != NULL) {
        td_text_next(&last);
        td_text_prose(&last, report->safe);
    }
    td_buf_add(out, td_buf_text(&last), last.len);
    td_buf_putc(out, '\n');
}
