/* Incidents as lines: which file, what was wrong with it, what was done. */
#include "twindock/base/escape.h"
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>

struct phrase {
    enum td_incident_kind kind;
    enum td_cause cause;
    const char *before; /* what happened to the file, up to where */
    bool place;         /* name the side: "on member B", "in the source" */
    const char *after;
};

/* The first row with the same kind, and the same cause or TD_CAUSE_NONE, is the one. */
static const struct phrase phrases[] = {
    {TD_INCIDENT_HELD, TD_CAUSE_SOURCE_ROT, "has rotted in the source; the disks keep the good copy", false, ""},
    {TD_INCIDENT_HELD, TD_CAUSE_LOST, "has no good copy left; nothing was changed", false, ""},
    {TD_INCIDENT_HELD, TD_CAUSE_NONE, "is not believed; the disks keep their copy", false, ""},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_BACKUP_ROT, "had rotted ", true, " and was repaired"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_ALTERED, "had been altered ", true, " and was made right"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_READ_ERROR, "could not be read ", true, " and was written anew"},
    {TD_INCIDENT_REPAIRED, TD_CAUSE_NONE, "was wrong ", true, " and was repaired"},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_READ_ERROR, "could not be read ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_CHANGING, "kept changing while it was read ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_WRITE_ERROR, "could not be written ", true, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_BACKUP_ROT, "has rotted ", true, " and was not repaired"},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_LOST, "has no good copy left", false, ""},
    {TD_INCIDENT_UNREADABLE, TD_CAUSE_NONE, "could not be read or copied ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_EDITED_QUIETLY, "was edited without a new time; taken over", false, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_UNPROVABLE, "differed and was in no ledger; the source's was taken", false, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_ALTERED, "had been altered ", true, ""},
    {TD_INCIDENT_NOTED, TD_CAUSE_NONE, "is worth a look", false, ""},
};

static const struct phrase *phrase_of(const struct td_incident *incident) {
    const struct phrase *row = phrases;
    while (row->kind != incident->kind || (row->cause != incident->cause && row->cause != TD_CAUSE_NONE))
        row++;
    return row;
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
    if (incident->detail != NULL && *incident->detail != '\0') {
        td_buf_puts(out, " (");
        td_text_prose(out, incident->detail);
        td_buf_putc(out, ')');
    }
    td_buf_putc(out, '\n');
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
