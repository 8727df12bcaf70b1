#include "tally.h"

#include "findings.h"

#include <string.h>

bool td_finding_is_gone(const struct td_incident *incident) {
    return incident->cause == TD_CAUSE_READ_ERROR && incident->member != 0 && incident->detail != NULL &&
           strcmp(incident->detail, "No such file or directory") == 0;
}

static bool has_no_room(const struct td_incident *incident) {
    return incident->cause == TD_CAUSE_WRITE_ERROR && incident->detail != NULL &&
           strcmp(incident->detail, TD_DETAIL_NO_ROOM) == 0;
}

static bool is_mounted_over(const struct td_incident *incident) {
    return incident->member == 0 && incident->detail != NULL && strcmp(incident->detail, TD_DETAIL_MOUNTED_OVER) == 0;
}

static enum td_sort sort_of_unreadable(const struct td_incident *incident) {
    if (incident->cause == TD_CAUSE_LOST)
        return SORT_NO_COPY;
    if (td_finding_is_gone(incident))
        return SORT_GONE;
    if (has_no_room(incident))
        return SORT_NO_ROOM;
    if (is_mounted_over(incident))
        return SORT_HIDDEN;
    if (incident->cause == TD_CAUSE_ATTRIBUTES)
        return SORT_BARE;
    if (incident->member == 0)
        return SORT_UNREADABLE;
    switch (incident->cause) {
    case TD_CAUSE_WRITE_ERROR:
        return SORT_UNWRITTEN;
    case TD_CAUSE_BACKUP_ROT:
        return SORT_ROTTEN;
    case TD_CAUSE_READ_ERROR:
        return SORT_NO_READ;
    case TD_CAUSE_ALTERED:
        return SORT_ALTERED;
    default:
        return SORT_UNREADABLE;
    }
}

static enum td_sort sort_of(const struct td_incident *incident) {
    switch (incident->kind) {
    case TD_INCIDENT_HELD:
        if (incident->cause == TD_CAUSE_LOST)
            return SORT_NO_COPY;
        return incident->member == 0 ? SORT_HELD : SORT_ROTTEN; /* with nothing to mend it from */
    case TD_INCIDENT_REPAIRED:
        return incident->cause == TD_CAUSE_ALTERED ? SORT_PUT_RIGHT
               : td_finding_is_gone(incident)      ? SORT_REFILLED
                                                   : SORT_REPAIRED;
    case TD_INCIDENT_UNREADABLE:
        return sort_of_unreadable(incident);
    case TD_INCIDENT_NOTED:
        break;
    }
    return SORT_NOTED;
}

static bool same_version(const struct td_incident *a, const struct td_incident *b) {
    static const char version[] = TD_DETAIL_VERSION;
    const char *x = a->detail != NULL ? a->detail : "", *y = b->detail != NULL ? b->detail : "";
    bool any = strncmp(x, version, sizeof version - 1) == 0 || strncmp(y, version, sizeof version - 1) == 0;
    return !any || strcmp(x, y) == 0;
}

/* Has the list told of the same file, and of the same sort of finding, before? What is wrong with it on either member
 * is one file. The list is in the order of paths. Only what was put right is counted by copies. */
static bool is_again(const struct td_report *report, size_t index) {
    const struct td_incident *incident = &report->incidents[index];
    enum td_sort sort = sort_of(incident);
    for (size_t i = index; i-- > 0 && strcmp(report->incidents[i].path, incident->path) == 0;)
        if (sort != SORT_PUT_RIGHT && sort_of(&report->incidents[i]) == sort &&
            same_version(&report->incidents[i], incident))
            return true;
    return false;
}

/* Incidents that are not in the list are taken to be like the listed ones of their kind: as many to a file, too. */
static void add_unlisted(const struct td_report *report, enum td_incident_kind kind, uint64_t all, enum td_sort usual,
                         struct td_tally tally[SORTS]) {
    uint64_t listed = 0, files = 0;
    bool seen = false;
    enum td_sort like = usual;
    for (size_t i = 0; i < report->incident_count; i++) {
        if (report->incidents[i].kind != kind)
            continue;
        listed++;
        files += !is_again(report, i);
        if (!seen || sort_of(&report->incidents[i]) == usual)
            like = sort_of(&report->incidents[i]);
        seen = true;
    }
    if (all > listed)
        tally[like].count +=
            listed == 0 ? all : (uint64_t)((double)(all - listed) * (double)files / (double)listed + 0.5);
}

void td_tally_count(const struct td_report *report, struct td_tally tally[SORTS]) {
    const struct td_counts *counts = &report->run->counts;
    memset(tally, 0, SORTS * sizeof *tally);
    for (size_t i = 0; i < report->incident_count; i++) {
        const struct td_incident *incident = &report->incidents[i];
        struct td_tally *found = &tally[sort_of(incident)];
        if (!is_again(report, i) && found->count++ == 0)
            *found = (struct td_tally){1, incident->path, incident->detail, incident->member};
        else if (found->member != incident->member)
            found->member = 0;
    }
    add_unlisted(report, TD_INCIDENT_HELD, counts->held, SORT_HELD, tally);
    add_unlisted(report, TD_INCIDENT_REPAIRED, counts->repaired, SORT_REPAIRED, tally);
    add_unlisted(report, TD_INCIDENT_UNREADABLE, counts->unreadable, SORT_UNREADABLE, tally);
}
