/* Incidents as lines: which file, what was wrong with it, what was done. */
#include "findings.h"

#include "twindock/base/escape.h"
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>

#define COMMAND_MAX 900 /* bytes; RFC 5322 allows 998 in a line */

enum where { ANYWHERE, ON_MEMBER, GONE /* from a member, altogether */ };

struct phrase {
    enum td_incident_kind kind;
    enum td_cause cause;
    enum where where;
    const char *before; /* what happened to the file, up to where */
    bool place;         /* name the side: "on member B", "in the source" */
    const char *after;
};

/* The first row with the same kind, the same cause or TD_CAUSE_NONE, and a fitting place is the one. */
static const struct phrase phrases[] = {
    {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, ANYWHERE, "has rotted in the source; the disks keep the good copy", false,
     ""},
    {TD_INCIDENT_HELD, TD_CAUSE_LOST, ANYWHERE, "has no good copy left; nothing was changed", false, ""},
    {TD_INCIDENT_HELD, TD_CAUSE_NONE, ANYWHERE, "is not believed; the disks keep their copy", false, ""},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_SOURCE_ROT, ANYWHERE, "had rotted in the source and was put right", false, ""},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, ANYWHERE, "had rotted ", true, " and was repaired"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_ALTERED, ANYWHERE, "had been altered ", true, " and was made right"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, GONE, "was missing ", true, " and was copied again"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, ANYWHERE, "could not be read ", true, " and was written anew"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_NONE, ANYWHERE, "was wrong ", true, " and was repaired"},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, GONE, "is missing ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, ANYWHERE, "could not be read ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_CHANGING, ANYWHERE, "kept changing while it was read ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, ANYWHERE, "could not be written ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_ATTRIBUTES, ANYWHERE, "lacks extended attributes ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, ANYWHERE, "has rotted ", true, " and was not repaired"},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_ALTERED, ANYWHERE, "was altered ", true, " and was not made right"},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_LOST, ANYWHERE, "has no good copy left", false, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_BRAKE, ANYWHERE, "has changed in the source and was not copied", false, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_NONE, ANYWHERE, "could not be read or copied ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_EDITED_QUIETLY, ANYWHERE, "was edited without a new time; taken over", false, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, ON_MEMBER, "was not up to date ", true,
     " and has never been proven there as it is now"},
    {TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, ANYWHERE, "differed and was in no ledger; the source's was taken", false,
     ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_ACCEPTED, ANYWHERE, "is right as it is in the source; it waits for the next run",
     false, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_LEFT_OUT, ON_MEMBER, "has a new place ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_LEFT_OUT, ANYWHERE, "is left out: the disks have one of their own there", false, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_TIME, ANYWHERE, "cannot keep its time ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_ALTERED, ANYWHERE, "had been altered ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_NONE, ANYWHERE, "is worth a look", false, ""},
};

static bool is_there(const struct td_incident *incident, enum where where) {
    return where == ANYWHERE || (where == ON_MEMBER ? incident->member != 0 : td_finding_is_gone(incident));
}

static const struct phrase *phrase_of(const struct td_incident *incident) {
    const struct phrase *row = phrases;
    while (row->kind != incident->kind || (row->cause != incident->cause && row->cause != TD_CAUSE_NONE) ||
           !is_there(incident, row->where))
        row++;
    return row;
}

/* The command that settles it, to be pasted as it stands: in a line of its own, which nothing wraps. Left out where the
 * line would be longer than a mail takes. */
static void print_command(const struct td_run *run, const char *name, const char *path, struct td_buf *out) {
    TD_AUTOBUF struct td_buf line = {0};
    td_buf_printf(&line, "    twindock %s %s ", name, run->collection);
    if (path[0] == '-') /* no option */
        td_buf_puts(&line, "./");
    td_text_shell(&line, path);
    if (line.len <= COMMAND_MAX)
        td_buf_printf(out, "%s\n", td_buf_text(&line));
}

static void print_commands(const struct td_run *run, const struct td_incident *incident, struct td_buf *out) {
    if (incident->kind != TD_INCIDENT_HELD || incident->member != 0)
        return;
    if (incident->cause == TD_CAUSE_SOURCE_ROT)
        print_command(run, "heal", incident->path, out);
    if (incident->cause == TD_CAUSE_SOURCE_ROT || incident->cause == TD_CAUSE_LOST)
        print_command(run, "accept", incident->path, out);
}

static void print_incident(const struct td_run *run, const struct td_incident *incident, struct td_buf *out) {
    const struct phrase *phrase = phrase_of(incident);
    td_buf_puts(out, "  ");
    td_text_path(out, run->collection, incident->path);
    td_buf_printf(out, ": %s", phrase->before);
    if (phrase->place && incident->member != 0)
        td_buf_printf(out, "on member %c", incident->member);
    else if (phrase->place)
        td_buf_puts(out, "in the source");
    td_buf_puts(out, phrase->after);
    if (phrase->where != GONE && incident->detail != NULL && *incident->detail != '\0') {
        td_buf_puts(out, " (");
        td_text_prose(out, incident->detail);
        td_buf_putc(out, ')');
    }
    td_buf_putc(out, '\n');
    print_commands(run, incident, out);
}

void td_report_list(const struct td_report *report, size_t cap, struct td_buf *out) {
    const struct td_counts *counts = &report->run->counts;
    uint64_t all = counts->held + counts->repaired + counts->unreadable + counts->noted;
    size_t shown = report->incident_count < cap ? report->incident_count : cap;
    if (all < report->incident_count)
        all = report->incident_count;
    for (size_t i = 0; i < shown; i++)
        print_incident(report->run, &report->incidents[i], out);
    if (all > shown)
        td_buf_printf(out, "  %s%" PRIu64 " more\n", shown > 0 ? "and " : "", all - shown);
}
